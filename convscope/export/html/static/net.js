"use strict";
// The forward pass, step by step. Arrays are (channels, height, width); sums are taken in double precision.

const sigmoid = (v) => 1 / (1 + Math.exp(-v));

// 2/√π · e^(−x²) · Σ 2ⁿ·x^(2n+1) / (1·3·5···(2n+1)): every term has the same sign.
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x,
    sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const FUNCTIONS = {
  relu: (v) => (v > 0 ? v : 0),
  relu6: (v) => (v > 6 ? 6 : v > 0 ? v : 0),
  tanh: Math.tanh,
  sigmoid,
  silu: (v) => v * sigmoid(v),
  gelu: (v) => 0.5 * v * (1 + erf(v * Math.SQRT1_2)),
  "gelu-tanh": (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  leakyrelu: (v, slope) => (v > 0 ? v : slope * v),
};

const OPS = {
  conv(s, [x], y) {
    const [channels, height, width] = s.from[0],
      [out, rows, columns] = s.shape,
      [taps, bias] = s.weights;
    const [kh, kw] = s.kernel,
      [sy, sx] = s.stride,
      [top, left] = s.before,
      [dy, dx] = s.dilation;
    const each = channels / s.groups,
      area = rows * columns,
      sum = new Float64Array(area);
    const plain = kh * kw * sy * sx === 1 && area === height * width && !top && !left;
    for (let o = 0; o < out; o++) {
      const first = Math.floor(o / (out / s.groups)) * each;
      sum.fill(bias[o]);
      if (plain) points(sum, x, first * area, taps, o * each, each, area);
      else
        for (let c = 0, t = o * each * kh * kw; c < each; c++)
          for (let u = 0; u < kh; u++)
            for (let v = 0; v < kw; v++, t++) {
              const weight = taps[t],
                down = u * dy - top,
                across = v * dx - left;
              const j0 = Math.max(0, Math.ceil(-across / sx));
              const j1 = Math.min(columns, Math.floor((width - 1 - across) / sx) + 1);
              for (let i = Math.max(0, Math.ceil(-down / sy)); i < rows && i * sy + down < height; i++) {
                let from = ((first + c) * height + i * sy + down) * width + j0 * sx + across;
                for (let j = i * columns + j0, end = i * columns + j1; j < end; j++, from += sx)
                  sum[j] += weight * x[from];
              }
            }
      y.set(sum, o * area);
    }
  },
  linear(s, [x], y) {
    const [weight, bias] = s.weights,
      n = x.length;
    for (let o = 0; o < y.length; o++) {
      let sum = bias[o];
      for (let i = 0; i < n; i++) sum += weight[o * n + i] * x[i];
      y[o] = sum;
    }
  },
  scale(s, [x], y) {
    const [scale, shift] = s.weights,
      area = x.length / scale.length;
    for (let i = 0; i < x.length; i++) y[i] = scale[Math.floor(i / area)] * x[i] + shift[Math.floor(i / area)];
  },
  pool(s, [x], y) {
    const [channels, height, width] = s.from[0];
    let n = 0;
    for (let c = 0; c < channels; c++)
      for (const [i0, i1, down] of s.rows)
        for (const [j0, j1, across] of s.columns) {
          let sum = 0,
            best = -Infinity;
          for (let i = i0; i < i1; i++)
            for (let j = j0; j < j1; j++) {
              const value = x[(c * height + i) * width + j];
              sum += value;
              if (value > best) best = value;
            }
          y[n++] = s.average ? sum / (down * across) : best;
        }
  },
  pad(s, [x], y) {
    const [channels, height, width] = s.from[0];
    let n = 0;
    for (let c = 0; c < channels; c++)
      for (const i of s.rows) for (const j of s.columns) y[n++] = i < 0 || j < 0 ? 0 : x[(c * height + i) * width + j];
  },
  each(s, [x], y) {
    const f = FUNCTIONS[s.function];
    for (let i = 0; i < x.length; i++) y[i] = f(x[i], s.slope);
  },
  add(s, inputs, y) {
    for (const x of inputs) for (let i = 0; i < y.length; i++) y[i] += x[i];
  },
  concat(s, inputs, y) {
    let n = 0;
    for (const x of inputs) {
      y.set(x, n);
      n += x.length;
    }
  },
  flatten: (s, [x], y) => y.set(x),
};

// A convolution of 1×1: four channels at a time.
function points(sum, x, from, taps, t, each, area) {
  let c = 0;
  for (; c + 4 <= each; c += 4, t += 4, from += 4 * area) {
    const a = taps[t],
      b = taps[t + 1],
      d = taps[t + 2],
      e = taps[t + 3];
    for (let i = 0, j = from; i < area; i++, j++)
      sum[i] += a * x[j] + b * x[j + area] + d * x[j + 2 * area] + e * x[j + 3 * area];
  }
  for (; c < each; c++, t++, from += area) for (let i = 0; i < area; i++) sum[i] += taps[t] * x[from + i];
}

// The net of the page: its weights lie in base64, compressed, the four bytes of all float32 behind each other.
async function openNet(net, text) {
  const packed = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const bytes = new Uint8Array(planes.length),
    count = planes.length / 4;
  for (let i = 0; i < count; i++) for (let b = 0; b < 4; b++) bytes[4 * i + b] = planes[b * count + i];
  const all = new Float32Array(bytes.buffer);
  let at = 0;
  for (const step of net.steps) step.weights = (step.sizes || []).map((size) => all.subarray(at, (at += size)));
  return net;
}

// uint8 (C, H, W), prepared → {probabilities, made: every step's output by name}.
function forward(net, pixels) {
  const area = net.image[1] * net.image[2],
    image = new Float32Array(pixels.length);
  for (let i = 0; i < image.length; i++) {
    const c = Math.floor(i / area);
    image[i] = (pixels[i] / 255 - net.mean[c]) / net.std[c];
  }
  const made = { image };
  for (const step of net.steps) {
    const y = (made[step.name] = new Float32Array(step.shape.reduce((a, b) => a * b, 1)));
    OPS[step.op](
      step,
      step.inputs.map((name) => made[name]),
      y,
    );
  }
  const scores = Array.from(made[net.steps[net.steps.length - 1].name]);
  if (net.confidence !== "probability") return { probabilities: scores, made };
  const largest = Math.max(...scores),
    powers = scores.map((v) => Math.exp(v - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return { probabilities: powers.map((p) => p / total), made };
}
