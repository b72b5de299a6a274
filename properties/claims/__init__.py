"""The messages of 931298e103c2 and 1ef488edd6c4, read line by line: each sentence a claim.

A claim may be wrong, and its verdict then says where the model, which follows the code, parts from
the message. The order is that of the report.
"""

from properties.claims import cleanup, loss, unprotect
from properties.claims.base import Claim

CLAIMS: dict[str, Claim] = {claim.name: claim for part in (loss, unprotect, cleanup)
                            for claim in part.CLAIMS}
