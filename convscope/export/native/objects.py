"""Object files for every target, by LLVM, and the one for this machine loaded again."""

import ctypes
from collections.abc import Iterable

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from ...engine.jit import why_not
from ...engine.jit.machine.host import COMPILING, available, compile_object
from ...engine.jit.standalone import TARGETS, Standalone, TargetName
from ...errors import UsageError
from ..subject import Pixels, Subject


def compiled(subject: Subject, targets: Iterable[TargetName] = tuple(TARGETS)) -> dict[TargetName, bytes]:
    """An object file (ELF, position independent) for each target. Raises UsageError for a layer that is not covered."""
    model = subject.model
    reason = why_not(model.net)
    if reason:
        raise UsageError(
            f"there is no machine code for this net: the CPU engine does not compute {reason}",
            "take another format: onnx, html or c",
        )
    net = Standalone(model.net, model.image, model.mean, model.std)
    objects: dict[TargetName, bytes] = {}
    with COMPILING:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        for name in targets:
            target = TARGETS[name]
            machine = llvm.Target.from_triple(target.triple).create_target_machine(
                cpu=target.cpu, features=target.features, opt=2, reloc="pic"
            )
            head = f'target datalayout = "{machine.target_data}"\ntarget triple = "{target.triple}"\n'
            text = net.text(subject.identifier, target, model.classes, subject.sure == "probability")
            objects[name] = compile_object(head + text, machine)
    return objects


def here() -> TargetName | None:
    """The target whose code this machine runs; None where there is none."""
    for isa in available():
        for name, target in TARGETS.items():
            if target.isa == isa and name != "armv7":
                return name
    return None


class Loaded:
    """An object file of this machine's own kind, loaded into the process."""

    def __init__(self, content: bytes, name: str, target: TargetName) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
            cpu=TARGETS[target].cpu, opt=2
        )
        with COMPILING:
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(content))
            self._engine.finalize_object()
        self._name = name

    def run(self, function: str, images: Pixels, classes: int) -> NDArray[np.float32]:
        """``NAME_scores`` or ``NAME_predict`` of images uint8 (N, H, W, C): (N, K)."""
        address = self._engine.get_function_address(f"{self._name}_{function}")
        call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address)
        result = np.empty((len(images), classes), np.float32)
        for image, row in zip(np.ascontiguousarray(images), result, strict=True):
            call(image.ctypes.data, row.ctypes.data)
        return result
