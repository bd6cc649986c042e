"""The functions that a header is built from: each step of a net in C, written to be read."""

# x: input (channels, height, width), y: output. PREFIX stands for the net's name.
FUNCTIONS = {
    "conv": """
/* y[o] = bias[o] + the sum of weight[o] * window of x; the image is zero outside. */
static void PREFIX_conv(const float *x, float *y, const float *weight, const float *bias,
                        int channels, int height, int width, int out, int out_height, int out_width,
                        int kernel_height, int kernel_width, int stride_y, int stride_x,
                        int top, int left, int dilation_y, int dilation_x, int groups)
{
    int each = channels / groups, o, c, i, j, u, v;
    for (o = 0; o < out; o++) {
        const float *input = x + o / (out / groups) * each * height * width;
        const float *taps = weight + o * each * kernel_height * kernel_width;
        for (i = 0; i < out_height; i++) {
            for (j = 0; j < out_width; j++) {
                float sum = bias[o];
                for (c = 0; c < each; c++) {
                    for (u = 0; u < kernel_height; u++) {
                        int row = i * stride_y + u * dilation_y - top;
                        if (row < 0 || row >= height) continue;
                        for (v = 0; v < kernel_width; v++) {
                            int column = j * stride_x + v * dilation_x - left;
                            if (column < 0 || column >= width) continue;
                            sum += taps[(c * kernel_height + u) * kernel_width + v]
                                 * input[(c * height + row) * width + column];
                        }
                    }
                }
                y[(o * out_height + i) * out_width + j] = sum;
            }
        }
    }
}
""",
    "linear": """
/* y = weight x + bias */
static void PREFIX_linear(const float *x, float *y, const float *weight, const float *bias, int in, int out)
{
    int o, i;
    for (o = 0; o < out; o++) {
        float sum = bias[o];
        for (i = 0; i < in; i++) sum += weight[o * in + i] * x[i];
        y[o] = sum;
    }
}
""",
    "scale": """
/* y[c] = scale[c] * x[c] + shift[c]: batch norm with its running statistics */
static void PREFIX_scale(const float *x, float *y, const float *scale, const float *shift, int channels, int area)
{
    int c, i;
    for (c = 0; c < channels; c++)
        for (i = 0; i < area; i++) y[c * area + i] = scale[c] * x[c * area + i] + shift[c];
}
""",
    "maximum": """
/* The largest of each window; spans hold begin and end of it for every row and column of y. */
static void PREFIX_maximum(const float *x, float *y, const int *rows, const int *columns,
                           int channels, int height, int width, int out_height, int out_width)
{
    int c, i, j, u, v;
    for (c = 0; c < channels; c++)
        for (i = 0; i < out_height; i++)
            for (j = 0; j < out_width; j++) {
                float best = x[(c * height + rows[3 * i]) * width + columns[3 * j]];
                for (u = rows[3 * i]; u < rows[3 * i + 1]; u++)
                    for (v = columns[3 * j]; v < columns[3 * j + 1]; v++)
                        if (x[(c * height + u) * width + v] > best) best = x[(c * height + u) * width + v];
                *y++ = best;
            }
}
""",
    "mean": """
/* The mean of each window; spans hold begin, end and what divides for every row and column of y. */
static void PREFIX_mean(const float *x, float *y, const int *rows, const int *columns,
                        int channels, int height, int width, int out_height, int out_width)
{
    int c, i, j, u, v;
    for (c = 0; c < channels; c++)
        for (i = 0; i < out_height; i++)
            for (j = 0; j < out_width; j++) {
                float sum = 0.0f;
                for (u = rows[3 * i]; u < rows[3 * i + 1]; u++)
                    for (v = columns[3 * j]; v < columns[3 * j + 1]; v++) sum += x[(c * height + u) * width + v];
                *y++ = sum / (float)(rows[3 * i + 2] * columns[3 * j + 2]);
            }
}
""",
    "pad": """
/* Row i of y is row rows[i] of x, or zero where that is -1; columns likewise. */
static void PREFIX_pad(const float *x, float *y, const int *rows, const int *columns,
                       int channels, int height, int width, int out_height, int out_width)
{
    int c, i, j;
    for (c = 0; c < channels; c++)
        for (i = 0; i < out_height; i++)
            for (j = 0; j < out_width; j++)
                *y++ = rows[i] < 0 || columns[j] < 0 ? 0.0f : x[(c * height + rows[i]) * width + columns[j]];
}
""",
    "copy": """
static void PREFIX_copy(const float *x, float *y, int count)
{
    int i;
    for (i = 0; i < count; i++) y[i] = x[i];
}
""",
    "add": """
static void PREFIX_add(const float *x, float *y, int count)
{
    int i;
    for (i = 0; i < count; i++) y[i] += x[i];
}
""",
}

ELEMENTWISE = {
    "relu": "x[i] > 0.0f ? x[i] : 0.0f",
    "relu6": "x[i] > 6.0f ? 6.0f : x[i] > 0.0f ? x[i] : 0.0f",
    "tanh": "tanhf(x[i])",
    "sigmoid": "1.0f / (1.0f + expf(-x[i]))",
    "silu": "x[i] / (1.0f + expf(-x[i]))",
    "gelu": "0.5f * x[i] * (1.0f + erff(x[i] * 0.707106781f))",
    "gelu-tanh": "0.5f * x[i] * (1.0f + tanhf(0.797884561f * (x[i] + 0.044715f * x[i] * x[i] * x[i])))",
    "leakyrelu": "x[i] > 0.0f ? x[i] : slope * x[i]",
}


def elementwise(function: str) -> str:
    """A function of every element."""
    more = ", float slope" if function == "leakyrelu" else ""
    return f"""
static void PREFIX_{function.replace("-", "_")}(const float *x, float *y, int count{more})
{{
    int i;
    for (i = 0; i < count; i++) y[i] = {ELEMENTWISE[function]};
}}
"""
