"""The releases: editions that exist by name, each a set of changes on the common base.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.kernel.changes import CHANGES


@dataclass(frozen=True)
class Release:
    """An edition that exists by name: what it is, and the changes that it has."""

    name: str
    title: str
    changes: frozenset[str]


_V5_7 = frozenset({"d9104d1ca966", "179ef71cbc08", "64e455079e1b", "f45ec5ff16a7",
                   "34228d473efe"})
_V5_14 = _V5_7 | {"37cd0575b851", "099dd6878b9b", "8f34f1eac382", "7677f7fd8be7",
                  "f619147104c8", "c949b097ef2e", "153132571f02", "dontunmap-files"}
_V5_18 = _V5_14 | {"0e88904cb700"}
_V5_19 = _V5_18 | {"b1f9e8768618", "999dad824c39", "deb4c93a9871", "c56d1b62cce8"}
_V6_0 = _V5_19 | {"64fe24a3e05e", "76aefad628aa", "f369b07c8614", "14a762dd1977", "1d8d14641fd9",
                 "f96f7a40874d", "914eedcb9ba0"}
_V6_1_170 = _V6_0 | {"51d3d5eb74ff", "fed15f1345dc", "42b2af2c9b7e", "60d5b473d61b",
                     "0e678153f5be", "44f86392bdd1", "49d6d7fb6313", "24bf08c4376b",
                     "2ff559f31a5d", "e8e17ee90eaf", "474098edac26"}
_V6_1_187 = _V6_1_170 | {"83abe2fd5b3a"}
_V6_1 = _V6_1_187 | {"c88033efe9a3", "0cef0bb836e3", "fe6cf984939d"}
_V6_2 = _V6_0 | {"51d3d5eb74ff", "fed15f1345dc", "6a56ccbcf6c6", "d84887739d5c", "7ea7e333842e",
                 "c27f479ef542", "b9086fde6d44", "15520a3f0469", "0e678153f5be", "44f86392bdd1",
                 "49d6d7fb6313", "6cce3314b928", "474098edac26", "d7c0e68dab98"}
_V6_3 = _V6_2 | {"931298e103c2", "1ef488edd6c4", "f1eb1bacfba9", "42b2af2c9b7e", "60d5b473d61b",
                 "2ff559f31a5d", "24bf08c4376b"}
_V6_4 = _V6_3 | {"2bad466cc9d9", "3c811f7883c4", "5436d6556937", "5a2f8d22ace4", "0f230bc24b6e",
                 "0289184476c8", "5543d3c43c41", "a1b92a3f1498"}
_V6_6 = _V6_4 | {"d74943a2f3cd", "saved-dirty", "fc71884a5f59", "8ac268436e6d", "edd478269640",
                 "af19487f00f3"}
_V6_7 = _V6_6 | {"d61ea1cb0095", "52526ca7fdb9", "e8e17ee90eaf", "4ed4379881aa",
                 "unaccount-unfaulted"}
_V6_9 = _V6_7 | {"867a43a34ff8", "63222c14c269", "c88033efe9a3", "adf505457032"}
_V6_11 = _V6_9 | {"20dfa5b7adc5", "9cb28da54643", "lazyfree-batch", "pageout-batch",
                  "735ecdfaf4e8", "1943f96b3816"}
_V6_12_43 = _V6_11 | {"migration-downgrade", "collapse-ebusy", "0cef0bb836e3", "b1f202060afe",
                      "scan-huge-zero", "a17c7d8fd2b0", "cacded5e42b9"}
_V6_12_85 = _V6_12_43 | {"9658d698a8a8"}
_V6_12_100 = _V6_12_85 | {"8a8ca142a488"}
_V6_12_107 = _V6_12_100 | {"83abe2fd5b3a", "scan-unpopulated", "scan-hole"}
_V6_12_113 = _V6_12_107 | {"f7491d7c81db"}
_V6_12 = _V6_12_113 | {"fe6cf984939d", "lazyfree-by-pte"}
_V6_12_118 = _V6_12 | {"ksm-soft-dirty"}
_V6_16 = _V6_12_43 | {"1ced09e0331f", "6375e95f381e", "1da190f4d0a6", "4e92030c05dc",
                      "662df3e5c376", "f807123d578d", "scan-guard", "swapbacked-dirty",
                      "huge-pte-vm-write", "879bca0a2c4f", "folio-mk-pmd"}
_V6_17 = _V6_16 | {"9658d698a8a8", "cac1db8c3aad", "unregister-owner", "remap-move"}
_V6_18 = _V6_17 | {"collapse-read-only", "collapse-no-table"}
_V6_19 = _V6_18 | {"prot-numa-skip", "guard-flag", "copy-marker", "6707915e030a"}
_V7_0 = _V6_19 | {"f1879e8a0c60", "8a8ca142a488", "move-zero-pmd"}
_V7_1 = _V7_0 | {"83abe2fd5b3a", "fe6cf984939d", "scan-unpopulated", "scan-hole"}
_V7_2 = _V7_1 | {"f7491d7c81db"}
_V7_3 = _V7_2 | {"register-ebusy", "rwp", "hugetlb-leftover", "hugetlb-marker", "hugetlb-zap",
                 "pagemap-special", "scan-registered", "lazyfree-by-pte", "anon-pgoff",
                 "move-extra-refs"}

RELEASES: tuple[Release, ...] = (
    Release("before", "v6.2, the patch's parent", _V6_2),
    Release("after", "v6.2 with 931298e103c2 alone", _V6_2 | {"931298e103c2"}),
    Release("v5.7", "the first release with write-protect mode", _V5_7),
    Release("v5.14", "the first release whose children forget protection", _V5_14),
    Release("v5.18", "the last release with it for anonymous memory alone", _V5_18),
    Release("v5.19", "the first release with markers", _V5_19),
    Release("v6.0", "the first release that clears what it protected", _V6_0),
    Release("v6.1.170", "6.1.170 as Debian ships it", _V6_1_170),
    Release("v6.1.187", "6.1.187 as Debian ships it", _V6_1_187),
    Release("v6.1", "6.1.192 as Debian ships it", _V6_1),
    Release("v6.2", "the last release before the patch", _V6_2),
    Release("v6.3", "the first release with the patch", _V6_3),
    Release("v6.4", "the first release with WP_UNPOPULATED", _V6_4),
    Release("v6.6", "the first release with the saved dirty bit", _V6_6),
    Release("v6.7", "the first release with WP_ASYNC", _V6_7),
    Release("v6.9", "the first release that un-protects at close", _V6_9),
    Release("v6.11", "the first release that swaps pages in writable", _V6_11),
    Release("v6.12.43", "6.12.43 as Debian ships it", _V6_12_43),
    Release("v6.12.85", "6.12.85 as Debian ships it", _V6_12_85),
    Release("v6.12.100", "6.12.100 as Debian ships it", _V6_12_100),
    Release("v6.12.107", "6.12.107 as Debian ships it", _V6_12_107),
    Release("v6.12.113", "6.12.113 as Debian ships it", _V6_12_113),
    Release("v6.12", "6.12.117 as Debian ships it", _V6_12),
    Release("v6.12.118", "6.12.118 as Debian ships it", _V6_12_118),
    Release("v6.16", "6.16.12 as Debian ships it", _V6_16),
    Release("v6.17", "6.17.13 as Debian ships it", _V6_17),
    Release("v6.18", "6.18.15 as Debian ships it", _V6_18),
    Release("v6.19", "6.19.14 as Debian ships it", _V6_19),
    Release("v7.0", "7.0.13 as Debian ships it", _V7_0),
    Release("v7.1", "7.1.13 as Debian ships it", _V7_1),
    Release("v7.2", "7.2.12 as Debian ships it", _V7_2),
    Release("v7.3", "7.3.4 as Debian ships it", _V7_3),
    Release("v6.3-as-described", "v6.3, TRY set whenever a writable mapping is un-protected",
            _V6_3 | {"as-described"}),
    Release("v6.3-no-try", "v6.3, TRY never set", _V6_3 | {"no-try"}),
)
"""Those before v6.1 are the common base less what came later; what else they did otherwise, as the
exclusivity of anonymous pages before v5.19, is not modelled.

The stable trees are by Debian's changelogs: 6.1.8 took 51d3d5eb74ff, fed15f1345dc, 0e678153f5be and
44f86392bdd1, 6.1.11 49d6d7fb6313, 6.1.21 42b2af2c9b7e, 6.1.24 60d5b473d61b, 6.1.26 2ff559f31a5d and
24bf08c4376b, 6.1.183 83abe2fd5b3a, 6.1.191 c88033efe9a3, 0cef0bb836e3 and fe6cf984939d; 6.12.11
0cef0bb836e3, 6.12.36 "scan-huge-zero", 6.12.57 9658d698a8a8, 6.12.86 8a8ca142a488, 6.12.103
83abe2fd5b3a and "scan-unpopulated", 6.12.105 "scan-hole", 6.12.111 f7491d7c81db, 6.12.114
fe6cf984939d, 6.12.118 "ksm-soft-dirty"; 7.2.7 f7491d7c81db. Two of them came without what they
need: 60d5b473d61b without 5a2f8d22ace4, and c88033efe9a3 without 931298e103c2.
"""


KERNELS = tuple(r.name for r in RELEASES if r.name.startswith("v")
                and not any(CHANGES[c].variant for c in r.changes))
"""The releases that kernels were, oldest first; stable ones before the next of mainline."""
NEWEST = KERNELS[-1]
"""The edition that is meant where none is named."""


ALIASES = {
    **dict.fromkeys((f"v6.1.{n}" for n in (172, 174, 176, 177, 180)), "v6.1.170"),
    "v6.1.190": "v6.1.187", "v6.1.192": "v6.1",
    **dict.fromkeys(("v6.12.41", "v6.12.48"), "v6.12.43"),
    **dict.fromkeys((f"v6.12.{n}" for n in (57, 63, 69, 73, 74)), "v6.12.85"),
    **dict.fromkeys((f"v6.12.{n}" for n in (86, 88, 90, 94, 95, 96, 101)), "v6.12.100"),
    "v6.12.105": "v6.12.107", "v6.12.111": "v6.12.113",
    **dict.fromkeys(("v6.12.115", "v6.12.116", "v6.12.117"), "v6.12"),
    "v6.16.12": "v6.16", "v6.17.13": "v6.17", "v6.18.15": "v6.18", "v6.19.14": "v6.19",
    "v7.0.13": "v7.0", "v7.1.13": "v7.1", "v7.3.4": "v7.3",
    **dict.fromkeys((f"v7.2.{n}" for n in (7, 8, 9, 10, 11, 12, 13)), "v7.2"),
}
"""Releases that Debian ships, or has shipped lately, and that differ from an edition in nothing
that is modelled, by the changelogs of linux-source-6.1, -6.12 and -7.2."""
