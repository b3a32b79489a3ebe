"""Which request lies in which slot, and what is worth a restore or a save."""

from hermes.core.model import ChatMessage, ModelRequest
from hermes.models.prefixes_book import Held, SlotBook
from hermes.models.prefixes_chain import Chain, chain_of
from hermes.models.prefixes_index import Prefix
from hermes.models.prefixes_slots import Slot

EMPTY = [Slot(0), Slot(1)]


def chain(*texts: str) -> Chain:
    return chain_of(ModelRequest("system", tuple(ChatMessage("user", text) for text in texts)))


A, B = chain("a" * 3_000), chain("b" * 3_000)
A_ON = chain("a" * 3_000, "on")


def saved(links: Chain, tokens: int = 1_000, size: int = 1_000) -> Prefix:
    return Prefix(name="", model="", chain=links, tokens=tokens, size=size, sha256="", used=0)


def ran(book: SlotBook, links: Chain, *slots: Slot) -> None:
    book.end(book.begin(links))
    book.attribute(list(slots))


def test_the_newest_task_is_the_newest_request():
    book = SlotBook()
    first, second = book.begin(A), book.begin(B)
    book.end(second)
    book.end(first)
    book.attribute([Slot(0, id_task=9, n_prompt_tokens=90), Slot(1, id_task=4, n_prompt_tokens=40)])
    assert {slot: (held.chain, held.tokens) for slot, held in book.held.items()} == {
        0: (B, 90),
        1: (A, 40),
    }


def test_two_requests_in_one_slot_leave_the_second():
    book = SlotBook()
    book.end(book.begin(A))
    ran(book, B, Slot(0), Slot(1, id_task=7, n_prompt_tokens=70))
    assert {slot: held.chain for slot, held in book.held.items()} == {1: B}
    assert not book.is_behind


def test_a_request_that_still_leaves_its_slot_is_found_later():
    book = SlotBook()
    ran(book, A, Slot(0), Slot(1, is_processing=True, id_task=3))
    assert book.is_behind
    book.attribute([Slot(0), Slot(1, id_task=3, n_prompt_tokens=30)])
    assert book.held[1].chain == A


def test_a_request_that_failed_leaves_an_unknown_slot():
    book = SlotBook()
    ran(book, A, Slot(0), Slot(1, id_task=3, n_prompt_tokens=30))
    asked = book.begin(A_ON)
    asked.chain = ()
    book.end(asked)
    book.attribute([Slot(0), Slot(1, id_task=5, n_prompt_tokens=31)])
    assert book.held == {}


def test_a_saved_state_is_wanted_where_no_slot_has_it():
    book = SlotBook()
    assert book.best(A_ON, ()) is None
    assert book.best(A_ON, (saved(B),)) is None
    assert book.best(A_ON, (saved(B), saved(A))) == saved(A)
    ran(book, A, Slot(0), Slot(1, id_task=3, n_prompt_tokens=1_000))
    assert book.best(A_ON, (saved(A),)) is None
    ran(book, B, Slot(0), Slot(1, id_task=4, n_prompt_tokens=1_000))
    assert book.best(A_ON, (saved(A),)) == saved(A)


def test_a_request_under_way_counts_as_evaluated():
    book = SlotBook()
    asked = book.begin(A)
    assert book.best(A_ON, (saved(A),)) is None
    book.end(asked)
    assert book.best(A_ON, (saved(A),)) is None


def test_of_two_that_spare_the_same_the_smaller_is_read():
    short, longer = chain("a" * 3_000), chain("a" * 3_000, "b" * 9_000)
    small, large = saved(short, 1_000, 1_000), saved(longer, 4_100, 4_100)
    assert SlotBook().best(chain("a" * 3_000, "new"), (large, small)) == small
    assert SlotBook().best(chain("a" * 3_000, "b" * 9_000, "new"), (large, small)) == large


def test_a_large_file_is_not_read_for_its_first_words():
    large = saved(chain("a", "b" * 60_000), 20_000, 80_000_000)
    assert SlotBook().best(chain("a", "c"), (large,)) is None
    near = saved(chain("a" * 90), 30)
    assert SlotBook().best(chain("a" * 90, "c"), (near,)) is None


def test_a_restore_takes_an_unused_slot_then_the_oldest():
    book = SlotBook()
    assert book.free(EMPTY) == Slot(0)
    zero = Slot(0, id_task=3, n_prompt_tokens=30)
    ran(book, A, zero, Slot(1))
    assert book.free([zero, Slot(1)]) == Slot(1)
    one = Slot(1, id_task=4, n_prompt_tokens=30)
    ran(book, B, zero, one)
    assert book.free([zero, one]) == zero
    book.empty(zero)
    book.fill(zero, saved(A), 1_000)
    assert book.held[0].saved
    assert book.free([zero, Slot(1, is_processing=True)]) == zero


def test_no_slot_is_free_while_a_request_has_not_found_its_own():
    book = SlotBook()
    book.begin(A)
    assert book.free(EMPTY) is None
    assert book.free([Slot(0), Slot(1, is_processing=True)]) == Slot(0)
    assert book.free([Slot(0, is_processing=True), Slot(1, is_processing=True)]) is None


def test_only_what_is_on_no_disk_is_worth_saving():
    book = SlotBook()
    assert book.is_worth_saving(Held(A, 1_000, 0), ())
    assert not book.is_worth_saving(Held(A, 100, 0), ())
    assert not book.is_worth_saving(Held(A, 1_050, 0), (saved(A),))
    assert book.is_worth_saving(Held(A, 1_500, 0), (saved(A),))
