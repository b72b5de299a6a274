"""What the inputs of leaf functions mean, in the kernel and in the model: with leaves.py the table
that the proofs of equality trust.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import z3

from model.kernel.bits import PAGE_SPECIAL
from model.kernel.logic import BV, Bool, conj, disj, has, ite, negate
from model.kernel.records import Entry, Vma
from model.kernel.records import Mapping as Memory
from model.source.interpret import Fact
from model.source.values import (
    BOOL,
    INT,
    ULONG,
    CannotInterpret,
    Int,
    Pointer,
    Struct,
    Value,
    array,
    constant,
    truth,
)

WORDS = ("pte", "newprot", "vm_flags", "vm_page_prot", "flags")
TRUTHS = ("has_vm_ops", "page_mkwrite", "pfn_mkwrite", "has_file", "has_mapping", "can_writeback",
          "hugetlb", "shmem", "anon", "anon_exclusive", "maps_page", "wp_unpopulated", "wp_async",
          "writes")
MEANING = {
    "pte": "the entry, as pte or pmd", "newprot": "a pgprot", "flags": "new vm_flags",
    "vm_flags": "vma->vm_flags", "vm_page_prot": "vma->vm_page_prot",
    "has_vm_ops": "vma->vm_ops is not NULL; anonymous memory in the model has none",
    "page_mkwrite": "vma->vm_ops->page_mkwrite is not NULL",
    "pfn_mkwrite": "vma->vm_ops->pfn_mkwrite is not NULL; the model has one word for both",
    "has_file": "vma->vm_file is not NULL", "has_mapping": "vma->vm_file->f_mapping is not NULL",
    "can_writeback": "mapping_can_writeback(); the model's can_writeback says all three",
    "hugetlb": "is_vm_hugetlb_page()", "shmem": "vma_is_shmem()",
    "anon": "PageAnon(), folio_test_anon()", "anon_exclusive": "PageAnonExclusive()",
    "maps_page": "vm_normal_page_pmd() is not NULL",
    "writes": "the access is a store; the argument writable",
    "wp_unpopulated": "userfaultfd_wp_unpopulated()", "wp_async": "the argument wp_async",
}
FIXED = {
    "vm_normal_page()": "is NULL exactly where the entry is special",
    "cpu_feature_enabled(X86_FEATURE_LA57)": "true: page tables of five levels",
    "swap_migration_ad_supported": "true: migration entries keep the dirty bit",
    "arch_vma_access_permitted()": "true: no protection keys",
    "page_to_pfn()": "0: the frame number is left out",
    "WARN_ON_ONCE(), VM_WARN_ON_ONCE()": "warn, which has no effect",
    "cc_mask, cc_get_mask()": "0: no confidential computing",
    "__supported_pte_mask": "all bits: the CPU has NX and PGE",
    "cpu_feature_enabled(X86_FEATURE_*SHSTK)": "either",
    "vma->vm_flags": "is the first word of vma->flags where that is a bitmap",
    "vma->vm_ops->uffd_ops": "is there for shmem and hugetlb, and is theirs",
    "test_bit(), bitmap_*()": "do what their names say, of one word",
}


@dataclass(frozen=True)
class Inputs:
    """The inputs of leaf functions, as symbols: 64-bit words and Booleans by name."""

    words: Mapping[str, BV]
    truths: Mapping[str, z3.BoolRef]

    def over_mappings(self, answer: Callable[[Memory], Bool | BV]) -> Bool | BV:
        """The model's answer over every kind of memory, which for the model are plain facts."""
        t = self.truths
        symbols = {"anonymous": negate(t["has_vm_ops"]), "hugetlb": t["hugetlb"],
                   "page_mkwrite": disj(t["page_mkwrite"], t["pfn_mkwrite"]),
                   "can_writeback": conj(t["has_file"], t["has_mapping"], t["can_writeback"]),
                   "regular": negate(disj(negate(t["has_vm_ops"]), t["hugetlb"], t["shmem"]))}
        result: Bool | BV | None = None
        for values in product((False, True), repeat=len(symbols)):
            facts = dict(zip(symbols, values, strict=True))
            here = conj(*(s if facts[n] else negate(s) for n, s in symbols.items()))
            value = answer(Memory("any", "", shared=False, **facts))
            result = value if result is None else ite(here, value, result)
        assert result is not None
        return result

    def over_vmas(self, answer: Callable[[Vma], Bool | BV]) -> Bool | BV:
        w, t = self.words, self.truths
        return self.over_mappings(lambda memory: answer(Vma(
            w["vm_flags"], w["vm_page_prot"], memory, wp_unpopulated=t["wp_unpopulated"],
            wp_async=t["wp_async"])))

    @property
    def entry(self) -> Entry:
        t = self.truths
        return Entry(self.words["pte"], t["anon"], t["anon_exclusive"], False, False)


def inputs() -> Inputs:
    return Inputs({n: z3.BitVec(n, 64) for n in WORDS}, {n: z3.Bool(n) for n in TRUTHS})


def names(given: Inputs) -> dict[str, Value]:
    """What the identifiers of the C expressions, and a few of the kernel's, stand for."""
    words = {n: Int(ULONG, w) for n, w in given.words.items()}
    return {
        **{n: _fact(t) for n, t in given.truths.items()},
        "pte": Struct({"pte": words["pte"]}), "pmd": Struct({"pmd": words["pte"]}),
        "newprot": Struct({"pgprot": words["newprot"]}),
        "oldprot": Struct({"pgprot": words["pte"]}),
        "vm_flags": words["vm_flags"], "flags": words["flags"], "vma": Pointer(True, "vma"),
        "vm_page_prot": Struct({"pgprot": words["vm_page_prot"]}),
        "addr": constant(0, ULONG), "page": Pointer(True, "page"),
        "__supported_pte_mask": constant(-1, ULONG), "cc_mask": constant(0, ULONG),
        "swap_migration_ad_supported": truth(True),
    }


OVERLAID = {"vm_flags": ("flags", "__vma_flags", "0")}
"""Members of unions: since 7.2 or before, vm_flags is the first word of a bitmap."""
METHODS = {"can_userfault": "ptecheck_can_userfault"}
DEFINITIONS = """
#ifdef _PAGE_DEVMAP
#define PTECHECK_NO_DEVMAP 0UL
#else
#define PTECHECK_NO_DEVMAP (1UL << _PAGE_BIT_SOFTW4)
#endif
#ifdef VM_UFFD_RWP
#define PTECHECK_RWP VM_UFFD_RWP
#else
#define PTECHECK_RWP 0UL
#endif
#ifdef INIT_VM_FLAG
#define PTECHECK_DROPPABLE VM_DROPPABLE
#else
#define PTECHECK_DROPPABLE 0UL
#endif
#ifdef _LINUX_LEAFOPS_H
#define PTECHECK_SOFTLEAF 1
#else
#define PTECHECK_SOFTLEAF 0
#endif
static bool ptecheck_can_userfault(struct vm_area_struct *vma, unsigned long flags)
{
	return !has_vm_ops ? anon_can_userfault(vma, flags) :
		hugetlb ? hugetlb_can_userfault(vma, flags) : shmem_can_userfault(vma, flags);
}
"""
"""C of what only some trees have, and of what calls through a pointer lead to."""


def vm_flags(vma: Value) -> Value:
    """The word vma->vm_flags of the object, in either form."""
    assert isinstance(vma, Struct)
    return vma.fields["flags" if "flags" in vma.fields else "vm_flags"]


def vm_page_prot(vma: Value) -> Value:
    """The record vma->vm_page_prot of the object."""
    assert isinstance(vma, Struct)
    return vma.fields["vm_page_prot"]


def objects(given: Inputs, *, bitmap: bool) -> dict[str, Struct]:
    """What pointers point to; with `bitmap`, the flags of a VMA are one."""
    t = given.truths
    flags: Value = Int(ULONG, given.words["vm_flags"])
    return {
        "vma": Struct({**({"flags": Struct({"__vma_flags": array([flags])})} if bitmap
                          else {"vm_flags": flags}),
                       "vm_page_prot": Struct({"pgprot": Int(ULONG, given.words["vm_page_prot"])}),
                       "vm_ops": Pointer(t["has_vm_ops"], "vm_ops"),
                       "vm_file": Pointer(t["has_file"], "file")}),
        "vm_ops": Struct({"page_mkwrite": Pointer(t["page_mkwrite"]),
                          "pfn_mkwrite": Pointer(t["pfn_mkwrite"]),
                          "uffd_ops": Pointer(disj(t["hugetlb"], t["shmem"]), "uffd_ops")}),
        "file": Struct({"f_mapping": Pointer(t["has_mapping"], "mapping")}),
    }


def facts(given: Inputs) -> dict[str, Fact]:
    """What calls into the rest of the kernel answer."""
    t = given.truths

    def normal_page(arguments: list[Value]) -> Value:
        match arguments[-1]:
            case Struct({"pte": Int(_, pte)}):
                return Pointer(negate(has(pte, PAGE_SPECIAL)), "page")
        raise CannotInterpret("the arguments of vm_normal_page()")

    shadow_stacks = Int(INT, ite(z3.Bool("cpu_has_shadow_stacks"), z3.BitVecVal(1, 32),
                                 z3.BitVecVal(0, 32)))
    page = Pointer(True, "page")
    return {
        "vm_normal_page": normal_page, "vm_normal_folio": normal_page,
        "vm_normal_page_pmd": Pointer(t["maps_page"], "page"), "page_folio": page,
        "PageAnon": _fact(t["anon"]), "folio_test_anon": _fact(t["anon"]),
        "PageAnonExclusive": _fact(t["anon_exclusive"]),
        "is_vm_hugetlb_page": _fact(t["hugetlb"]), "vma_is_shmem": _fact(t["shmem"]),
        "mapping_can_writeback": _fact(t["can_writeback"]),
        "userfaultfd_wp_unpopulated": _fact(t["wp_unpopulated"]),
        "cpu_feature_enabled(X86_FEATURE_LA57)": truth(True),
        "cpu_feature_enabled(X86_FEATURE_SHSTK)": shadow_stacks,
        "cpu_feature_enabled(X86_FEATURE_USER_SHSTK)": shadow_stacks,
        "vma_assert_write_locked": truth(True), "arch_vma_access_permitted": truth(True),
        "page_to_pfn": constant(0, ULONG), "cc_get_mask": constant(0, ULONG), "hstate_vma": page,
        "huge_page_shift": constant(0, INT),
    }


def _fact(cond: Bool) -> Value:
    return Int(BOOL, ite(cond, z3.BitVecVal(1, 8), z3.BitVecVal(0, 8)))
