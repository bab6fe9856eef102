"""Objects linked to images, which are loaded without LLVM."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from rvplat.lang.host.processor import MACHINE
from rvplat.lang.native.image import Image, LoadedImage, is_image
from rvplat.lang.native.image_link import linked
from rvplat.lang.native.native_code import NativeCode
from rvplat.lang.native.objects import compile_text

linux = pytest.mark.skipif(
    (sys.platform, MACHINE) != ("linux", "x86_64"), reason="images are for Linux on x86-64"
)

TEXT = """
@"handlers" = dso_local constant [2 x ptr] [ptr @double, ptr @pick]
@"import.f" = global ptr null
@counter = internal global i64 40
declare ptr @memset(ptr, i32, i64)
declare i32 @sched_yield()

define dso_local i64 @double(i64 %a) noinline nounwind {
  %r = add i64 %a, %a
  ret i64 %r
}
define i64 @quadruple(i64 %a) nounwind {
  %b = call i64 @double(i64 %a)
  %r = call i64 @double(i64 %b)
  ret i64 %r
}
define i64 @pick(i64 %a) nounwind {
  switch i64 %a, label %other [ i64 0, label %l0  i64 1, label %l1  i64 2, label %l2
                               i64 3, label %l3  i64 4, label %l4  i64 5, label %l5 ]
l0: %r0 = call i64 @double(i64 5)
    ret i64 %r0
l1: %r1 = load i64, ptr @counter
    ret i64 %r1
l2: %r2 = call i32 @sched_yield()
    ret i64 77
l3: ret i64 %a
l4: store i64 41, ptr @counter
    ret i64 3
l5: %f = load ptr, ptr @"import.f"
    %r5 = call i64 %f(i64 %a)
    ret i64 %r5
other: ret i64 -1
}
define void @clear(ptr %p, i64 %n) nounwind {
  %r = call ptr @memset(ptr %p, i32 0, i64 %n)
  ret void
}
define i64 @fill_function() nounwind {
  ret i64 ptrtoint (ptr @memset to i64)
}
"""

CALL = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)
WORD = ctypes.c_uint64


@pytest.fixture
def code() -> NativeCode:
    made = compile_text(TEXT)
    assert is_image(made)
    return NativeCode(made)


@linux
def test_functions_data_and_tables_refer_to_each_other(code: NativeCode) -> None:
    pick = CALL(code.address("pick"))
    assert CALL(code.address("quadruple"))(3) == 12
    assert [pick(n) for n in (0, 1, 2, 3, 4, 1, 9)] == [10, 40, 77, 3, 3, 41, 2**64 - 1]
    table = (WORD * 2).from_address(code.address("handlers"))
    assert list(table) == [code.address("double"), code.address("pick")]


@linux
def test_a_variable_can_be_set(code: NativeCode) -> None:
    WORD.from_address(code.address("import.f")).value = code.address("quadruple")
    assert CALL(code.address("pick"))(5) == 20


@linux
def test_functions_of_the_c_library_are_found(code: NativeCode) -> None:
    data = (ctypes.c_uint8 * 8)(*range(1, 9))
    clear = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64)(code.address("clear"))
    clear(ctypes.addressof(data), 5)
    assert list(data) == [0, 0, 0, 0, 0, 6, 7, 8]
    memset = ctypes.cast(ctypes.CDLL(None).memset, ctypes.c_void_p).value
    assert ctypes.CFUNCTYPE(ctypes.c_uint64)(code.address("fill_function"))() == memset


@linux
def test_only_exported_symbols_are_found(code: NativeCode) -> None:
    assert ("double" in code, "counter" in code, "memset" in code) == (True, False, False)
    with pytest.raises(KeyError, match="counter"):
        code.address("counter")


def _rights(address: int) -> str:
    """The access rights of a page of this process."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        pages, rights = line.split()[:2]
        start, end = (int(bound, 16) for bound in pages.split("-"))
        if start <= address < end:
            return rights
    raise AssertionError(f"{address:#x} is not mapped")


@linux
def test_no_page_can_be_written_and_executed(code: NativeCode) -> None:
    assert _rights(code.address("double")) == "r-xp"
    assert _rights(code.address("import.f")) == "rw-p"


@linux
def test_the_memory_is_freed(code: NativeCode) -> None:
    kept = NativeCode(compile_text(TEXT))
    address = kept.address("double")
    assert _rights(address) == "r-xp"
    del kept
    try:
        assert _rights(address) != "r-xp"
    except AssertionError as error:
        assert "is not mapped" in str(error)


@linux
def test_an_image_survives_its_bytes() -> None:
    image = Image.from_bytes(compile_text(TEXT))
    assert Image.from_bytes(image.to_bytes()) == image
    assert {"double", "pick", "handlers"} <= image.symbols.keys()
    assert LoadedImage(image).find("double") != LoadedImage(image).find("double")


def _object(text: str, triple: str = "") -> bytes:
    """The object that LLVM makes of a module."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple or llvm.get_default_triple())
    module = llvm.parse_assembly(text)
    module.triple = target.triple
    machine = target.create_target_machine(reloc="pic", codemodel="small")
    return bytes(machine.emit_object(module))


THREAD_LOCAL = "@t = thread_local global i64 7\n" + TEXT.replace("@counter,", "@t,")
UNKNOWN = "declare void @no_such_function()\ndefine void @f() { call void @no_such_function()\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x7fELF" + bytes(100), id="no object"),
        pytest.param(_object(THREAD_LOCAL), id="thread-local data"),
        pytest.param(_object(UNKNOWN + "ret void }"), id="a function that nobody has"),
        pytest.param(_object("@c = common global i64 0"), id="a common symbol"),
        pytest.param(_object(TEXT, "aarch64-unknown-linux-gnu"), id="an object for AArch64"),
    ],
)
def test_what_only_llvm_can_load_is_left_to_it(data: bytes) -> None:
    assert linked(data) is None


def test_llvm_loads_objects() -> None:
    code = NativeCode(_object(TEXT))
    assert CALL(code.address("quadruple"))(3) == 12
    assert ("pick" in code, "nothing" in code) == (True, False)
