import pbk
import pytest

from hermes.chain.addresses import address_of, script_of
from hermes.chain.networks import NETWORKS
from hermes.chain.work import shown

KERNEL = {
    "main": pbk.ChainType.MAINNET,
    "testnet4": pbk.ChainType.TESTNET_4,
    "signet": pbk.ChainType.SIGNET,
    "regtest": pbk.ChainType.REGTEST,
}


@pytest.mark.parametrize("network", NETWORKS)
def test_the_kernel_knows_the_same_genesis_block(network, tmp_path):
    context = pbk.make_context(KERNEL[network])
    options = pbk.ChainstateManagerOptions(context, str(tmp_path), str(tmp_path / "blocks"))
    options.update_block_tree_db_in_memory(block_tree_db_in_memory=True)
    options.update_chainstate_db_in_memory(chainstate_db_in_memory=True)
    state = pbk.ChainstateManager(options)
    genesis = state.get_active_chain().block_tree_entries[0]
    assert shown(bytes(genesis.block_hash)) == NETWORKS[network].genesis


# BIP 173 and BIP 350; the old forms are Bitcoin's wiki's.
ADDRESSES = {
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": (
        "main",
        "0014751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7": (
        "signet",
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    ),
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": (
        "main",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2": (
        "main",
        "76a91477bff20c60e522dfaa3350c39b030a5d004e839a88ac",
    ),
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy": (
        "main",
        "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87",
    ),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_foreign_addresses_are_read_and_written(address):
    network, script = ADDRESSES[address]
    assert script_of(address, network).hex() == script
    assert address_of(bytes.fromhex(script), network) == address
    with pytest.raises(ValueError, match="no address on regtest"):
        script_of(address, "regtest")


# BIP 173 and BIP 350, invalid on purpose.
INVALID = [
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
    "bc1rw5uspcuh",
    "bc1gmk9yu",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
    "",
    "not an address",
]


@pytest.mark.parametrize("text", INVALID)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="no address on main"):
        script_of(text, "main")
