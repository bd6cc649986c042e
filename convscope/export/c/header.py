"""The whole header of a net: what it takes and gives, its weights, its forward pass, and an example program."""

from ...net.wiring import IMAGE
from ..memory import plan
from ..subject import Subject
from .calls import Calls
from .text import comment, number, string

EXAMPLE = r"""
#ifdef UPPER_MAIN /* an example: reads a PGM (grey) or PPM (colour) file of the net's size */
#include <stdio.h>

static int PREFIX_number(FILE *file)
{
    int c = fgetc(file), value = 0;
    while (c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '#') {
        if (c == '#') while (c != '\n' && c != EOF) c = fgetc(file);
        c = fgetc(file);
    }
    while (c >= '0' && c <= '9' && value < 100000) {
        value = 10 * value + c - '0';
        c = fgetc(file);
    }
    return value;
}

int main(int argc, char **argv)
{
    static uint8_t image[UPPER_HEIGHT * UPPER_WIDTH * UPPER_CHANNELS];
    static float probabilities[UPPER_CLASSES];
    const char kind = UPPER_CHANNELS == 1 ? '5' : '6';
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    int k;
    if (argc != 2) {
        fprintf(stderr, "usage: %s image.%s\n", argv[0], UPPER_CHANNELS == 1 ? "pgm" : "ppm");
        return 2;
    }
    if (!file) {
        fprintf(stderr, "cannot open %s\n", argv[1]);
        return 3;
    }
    if (fgetc(file) != 'P' || fgetc(file) != kind || PREFIX_number(file) != UPPER_WIDTH
        || PREFIX_number(file) != UPPER_HEIGHT || PREFIX_number(file) != 255
        || fread(image, 1, sizeof image, file) != sizeof image) {
        fprintf(stderr, "%s: expected a P%c file of %d x %d pixels with 255 as its largest value\n", argv[1], kind,
                UPPER_WIDTH, UPPER_HEIGHT);
        return 3;
    }
    fclose(file);
    PREFIX_predict(image, probabilities);
    for (k = 0; k < UPPER_CLASSES; k++) printf("%.6f  %s\n", (double)probabilities[k], PREFIX_classes[k]);
    return 0;
}
#endif
"""

NORMALISE = """    for (c = 0; c < UPPER_CHANNELS; c++)
        for (i = 0; i < UPPER_HEIGHT * UPPER_WIDTH; i++)
            a[PLACE + c * UPPER_HEIGHT * UPPER_WIDTH + i] =
                ((float)image[i * UPPER_CHANNELS + c] / 255.0f - mean[c]) / deviation[c];"""

SOFTMAX = """    largest = a[PLACE];
    for (i = 1; i < UPPER_CLASSES; i++) if (a[PLACE + i] > largest) largest = a[PLACE + i];
    for (i = 0; i < UPPER_CLASSES; i++) total += probabilities[i] = expf(a[PLACE + i] - largest);
    for (i = 0; i < UPPER_CLASSES; i++) probabilities[i] /= total;"""

SCORES = "    for (i = 0; i < UPPER_CLASSES; i++) probabilities[i] = a[PLACE + i];"


def header(subject: Subject) -> str:
    """The text of the header, ASCII alone."""
    prefix, model = subject.identifier, subject.model
    laid = plan(subject.program)
    calls = Calls(prefix, laid)
    for step in subject.program.steps:
        calls.step(step)
    channels, height, width = model.image
    sizes = {"HEIGHT": height, "WIDTH": width, "CHANNELS": channels, "CLASSES": len(model.classes)}
    defines = "\n".join(f"#define UPPER_{name} {value}" for name, value in sizes.items())
    parts = [
        _top(subject, 4 * laid.floats),
        "#ifndef UPPER_H\n#define UPPER_H\n\n#include <stdint.h>\n",
        defines,
        f"#define UPPER_ARENA_BYTES {4 * laid.floats} /* static memory of the layers' outputs */\n",
        '#ifdef __cplusplus\nextern "C" {\n#endif\n',
        "extern const char *const PREFIX_classes[UPPER_CLASSES]; /* UTF-8 */\n",
        _promise(subject),
        "void PREFIX_predict(const uint8_t *image, float *probabilities);\n",
        "#ifdef __cplusplus\n}\n#endif\n\n#endif /* UPPER_H */\n",
        "#ifdef UPPER_MAIN\n#define UPPER_IMPLEMENTATION\n#endif\n\n#ifdef UPPER_IMPLEMENTATION\n#include <math.h>\n",
        "const char *const PREFIX_classes[UPPER_CLASSES] = {",
        *(f"    {string(name)}," for name in model.classes),
        "};\n",
        *(f"{array}\n" for array in calls.arrays),
        *(function.lstrip("\n") for function in calls.functions.values()),
        _predict(subject, calls),
        "#endif /* UPPER_IMPLEMENTATION */",
        EXAMPLE,
    ]
    return "\n".join(parts).replace("UPPER", prefix.upper()).replace("PREFIX", prefix)


def _top(subject: Subject, arena: int) -> str:
    facts = "\n".join(f" * {comment(name)}: {comment(value)}" for name, value in _flat(subject.facts).items())
    return f"""/* {comment(subject.about)}
 *
 * One header, C99, no library but math.h, no malloc; {subject.program.parameters:,} weights,
 * {arena:,} bytes of static memory. In one file of your program (int must have 32 bits):
 *
 *     #define UPPER_IMPLEMENTATION
 *     #include "{comment(subject.name)}.h"
 *
 * and include it without that line elsewhere. The example at the end becomes a program with
 *     cc -std=c99 -O2 -x c -DUPPER_MAIN {comment(subject.name)}.h -lm -o {subject.identifier}
 *
{facts}
 */
"""


def _flat(facts: dict[str, str]) -> dict[str, str]:
    return {name: " ".join(value.split()) for name, value in facts.items()}


def _promise(subject: Subject) -> str:
    given = "softmax of the scores" if subject.sure == "probability" else "scores: this net gives no probabilities"
    form = (
        " *\n * The image must be in the training images' form: light ink on a ground of 0, in the middle.\n"
        if subject.model.preparation.ink
        else ""
    )
    return f"""/* image: (height, width, channels), row by row, 0..255, of this very size; probabilities: one a class,
 * {given}. One call at a time: the layers' outputs lie in static memory.
{form} */"""


def _predict(subject: Subject, calls: Calls) -> str:
    model, place = subject.model, calls.plan.places
    sure = subject.sure == "probability"
    mean, deviation = (", ".join(number(value) for value in values) for values in (model.mean, model.std))
    end = (SOFTMAX if sure else SCORES).replace("PLACE", str(place[subject.program.result]))
    return "\n".join(
        [
            f"static float PREFIX_arena[{calls.plan.floats}];\n",
            "void PREFIX_predict(const uint8_t *image, float *probabilities)",
            "{",
            f"    static const float mean[UPPER_CHANNELS] = {{{mean}}}, deviation[UPPER_CHANNELS] = {{{deviation}}};",
            "    float *a = PREFIX_arena;",
            *(["    float largest, total = 0.0f;"] if sure else []),
            "    int c, i;",
            NORMALISE.replace("PLACE", str(place[IMAGE])),
            *calls.lines,
            end,
            "}\n",
        ]
    )
