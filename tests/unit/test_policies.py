"""The policy of a workspace."""

import pytest

from carnet.core.errors import NotFoundError
from carnet.services.policies import make_policy
from carnet.services.workspace import Workspace


def test_policy__before_any_key(seller: Workspace) -> None:
    with pytest.raises(NotFoundError, match="CRN-L-013"):
        make_policy(seller)
