"""What the host's kernel reports of the processor, against what LLVM finds."""

import sys

import llvmlite.binding as llvm
import pytest

from rvplat.lang.host.processor import (
    MACHINE,
    has_aes,
    has_carryless,
    has_fma,
    has_sha256,
    reported_processor,
)
from rvplat.lang.native.native_code import host_key


def test_both_agree_on_the_fused_multiply_add() -> None:
    features = llvm.get_host_cpu_features()
    assert has_fma() == (MACHINE == "aarch64" or bool(features.get("fma")))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/cpuinfo")
def test_linux_reports_the_processor() -> None:
    assert reported_processor().startswith(MACHINE)
    assert reported_processor() in host_key()


def test_both_agree_on_ciphers_and_hashes() -> None:
    features = llvm.get_host_cpu_features()
    found = has_sha256(), has_aes(), has_carryless()
    if MACHINE == "x86_64":
        assert found == tuple(bool(features.get(name)) for name in ("sha", "aes", "pclmul"))
