"""What a user may ask of an encoder, whatever the library."""

from __future__ import annotations

import pytest
import torch

from ingest.encoders.base import EncoderOptions
from vdb.errors import InputError


@pytest.mark.parametrize("seed", [-1, -(2**70), 2**63, 2**64])
def test_what_is_no_seed_is_refused(seed: int) -> None:
    with pytest.raises(InputError, match=rf"--random-init {seed} is no seed: .* 0 to {2**63 - 1}"):
        EncoderOptions(random_init=seed)


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_torch_takes_the_first_and_the_last_seed(seed: int) -> None:
    options = EncoderOptions(random_init=seed)
    assert options.random_init is not None
    assert torch.Generator().manual_seed(options.random_init).initial_seed() == seed
