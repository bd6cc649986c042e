"""One .zip: object files for every target, a header, and a loader for Python."""

import io
import zipfile
from pathlib import Path

from ...engine.jit.standalone import TARGETS, Standalone, TargetName
from ..c.text import comment
from ..subject import Subject
from .objects import Loaded, compiled

LOADER = Path(__file__).parent / "loader.txt"
DATE = (1980, 1, 1, 0, 0, 0)  # the same net, the same bytes


def package(subject: Subject) -> bytes:
    """The content of the .zip."""
    name = subject.identifier
    model = subject.model
    objects = compiled(subject)
    net = Standalone(model.net, model.image, model.mean, model.std)
    arena = max(net.arena(target) for target in TARGETS.values())
    files = {f"{name}.h": header(subject, arena).encode(), f"{name}.py": loader(subject).encode()}
    files |= {f"{name}-{target}.o": content for target, content in objects.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(zipfile.ZipInfo(file, DATE), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def loaded(content: bytes, name: str, target: TargetName) -> Loaded:
    """The object file for ``target`` out of a .zip, in this process."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return Loaded(archive.read(f"{name}-{target}.o"), name, target)


def header(subject: Subject, arena: int) -> str:
    """The header of the object files."""
    name = subject.identifier
    channels, height, width = subject.model.image
    facts = "\n".join(f" * {comment(key)}: {comment(' '.join(value.split()))}" for key, value in subject.facts.items())
    given = "probabilities" if subject.sure == "probability" else "scores: this net gives no probabilities"
    objects = "\n".join(f" *     {name}-{target}.o" for target in TARGETS)
    return f"""/* {comment(subject.about)}
 *
 * Machine code for Linux (ELF, position independent, no library). Link the object file of the processor:
{objects}
 *
{facts}
 */
#ifndef {name.upper()}_H
#define {name.upper()}_H

#include <stdint.h>

#define {name.upper()}_HEIGHT {height}
#define {name.upper()}_WIDTH {width}
#define {name.upper()}_CHANNELS {channels}
#define {name.upper()}_CLASSES {len(subject.model.classes)}
#define {name.upper()}_ARENA_BYTES {arena} /* static memory of the layers' outputs, at most */

#ifdef __cplusplus
extern "C" {{
#endif

extern const char *const {name}_classes[{name.upper()}_CLASSES]; /* UTF-8 */

/* image: (height, width, channels), row by row, 0..255, of this very size. One call at a time: memory is static. */
void {name}_predict(const uint8_t *image, float *probabilities); /* {given} */
void {name}_scores(const uint8_t *image, float *scores);

#ifdef __cplusplus
}}
#endif

#endif
"""


def loader(subject: Subject) -> str:
    """A Python module that loads the object file of the machine it runs on."""
    model = subject.model
    channels, height, width = model.image
    text = LOADER.read_text(encoding="utf-8")
    return (
        text.replace("NAME", subject.identifier)
        .replace("SHAPE", repr((height, width, channels)))
        .replace("CLASSES_", ascii(tuple(model.classes)))
    )
