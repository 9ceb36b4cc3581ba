"""How people buy: each story is the steps of one order, or of a few that belong together."""

from collections.abc import Callable
from random import Random

from tests.simulation.money_steps import GiveUp, PayLate, PayTwice, SettleDebit
from tests.simulation.seat_steps import ChangeSeat, Invite, Join, OpenLesson, Share, StopSharing, TakeSeat
from tests.simulation.steps import ComeBack, Enroll, Expire, GoBack, Pay, Step, Wish

Course = str
Story = Callable[[Random, int, Course], list[Step]]
COURSES = ("dollar", "dollar", "euro", "yen", "dinar", "last_seat", "last_seat", "two_seats", "free")
TEAM_COURSES = ("dollar", "euro", "yen", "dinar", "two_seats")
SCARCE_COURSES = ("last_seat", "last_seat", "last_seat", "two_seats", "euro")
# People whom owners may invite, few enough to meet again.
MEMBERS = 9


def pays_and_returns(rng: Random, buyer: int, course: Course) -> list[Step]:
    card = rng.choice(("4242424242424242", "5555555555554444", "4000000000007726", "4000000000005126"))
    return [_click(rng, buyer, course), Pay(buyer, course, card), ComeBack(buyer, course, times=rng.randint(1, 2))]


def pays_and_never_returns(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [_click(rng, buyer, course), Pay(buyer, course)]


def is_declined_first(rng: Random, buyer: int, course: Course) -> list[Step]:
    declined = rng.choice(("4000000000000002", "4000000000009995", "4100000000000019"))
    return [_click(rng, buyer, course), Pay(buyer, course, declined), *_ends_well(rng, buyer, course)]


def is_asked_for_3ds(rng: Random, buyer: int, course: Course) -> list[Step]:
    verdict = rng.choice(("complete", "fail"))
    steps: list[Step] = [_click(rng, buyer, course), Pay(buyer, course, "4000002760003184", three_d_secure=verdict)]
    return [*steps, *(_ends_well(rng, buyer, course) if verdict == "fail" else [ComeBack(buyer, course)])]


def pays_by_debit(rng: Random, buyer: int, course: Course) -> list[Step]:
    outcome = rng.choice(("succeeded", "succeeded", "failed"))
    method = "bank_debit" if outcome == "succeeded" else "bank_debit_fails"
    steps: list[Step] = [_click(rng, buyer, course), Pay(buyer, course, method=method)]
    if rng.random() < 0.5:
        steps.append(ComeBack(buyer, course))
    if rng.random() < 0.3:
        steps.append(_click(rng, buyer, course))
    return [*steps, SettleDebit(buyer, course, outcome)]


def lets_it_expire(rng: Random, buyer: int, course: Course) -> list[Step]:
    steps: list[Step] = [_click(rng, buyer, course), GoBack(buyer), Expire(buyer, course)]
    return [*steps, *(pays_and_returns(rng, buyer, course) if rng.random() < 0.5 else [])]


def never_pays(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [_click(rng, buyer, course)]


def pays_in_two_tabs(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [Enroll(buyer, course, clicks=2), Pay(buyer, course, tabs=2), ComeBack(buyer, course, times=2)]


def presses_again_after_paying(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [*pays_and_returns(rng, buyer, course), Enroll(buyer, course), Pay(buyer, course), ComeBack(buyer, course)]


def presses_again_before_paying(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [_click(rng, buyer, course), Enroll(buyer, course), *_ends_well(rng, buyer, course)]


def pays_a_closing_session(rng: Random, buyer: int, course: Course) -> list[Step]:
    steps: list[Step] = [Pay(buyer, course), Expire(buyer, course)]
    rng.shuffle(steps)
    return [_click(rng, buyer, course), *steps, ComeBack(buyer, course)]


def buys_for_a_team(rng: Random, buyer: int, course: Course) -> list[Step]:
    """Seats by address and by list; some are sent again, taken back or passed on, some just as they are taken."""
    steps = _buy_seats(rng, buyer, course)
    steps.append(Invite(buyer, course, _some_people(rng, rng.choice((1, 3, 4))), times=rng.choice((1, 1, 2))))
    for _ in range(rng.randint(1, 5)):
        steps.append(_pick_seat_step(rng, buyer, course))
    return steps


def shares_a_link(rng: Random, buyer: int, course: Course) -> list[Step]:
    """One link for a team, followed by more people than it lets in; renewed, switched off, and followed again."""
    steps = _buy_seats(rng, buyer, course)
    steps.append(Share(buyer, course, limit=rng.randint(1, 3)))
    steps.append(_join(rng, buyer, course))
    for _ in range(rng.randint(1, 4)):
        steps.append(
            rng.choice(
                (
                    _join(rng, buyer, course),
                    _join(rng, buyer, course, is_old=True),
                    Share(buyer, course, limit=rng.randint(1, 4)),
                    StopSharing(buyer, course),
                    _pick_seat_step(rng, buyer, course),
                )
            )
        )
    return steps


def is_given_up_and_pays_late(rng: Random, buyer: int, course: Course) -> list[Step]:
    """The seat goes to the next buyer, or to nobody; then the money arrives (P3)."""
    first: list[Step] = [Pay(buyer, course, method="bank_debit")] if rng.random() < 0.5 else []
    others: list[Step] = [Enroll(buyer + 1, course), Pay(buyer + 1, course)] if rng.random() < 0.9 else []
    return [Enroll(buyer, course), *first, GiveUp(buyer, course), *others, PayLate(buyer, course)]


def pays_twice(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [_click(rng, buyer, course), PayTwice(buyer, course), ComeBack(buyer, course, times=rng.randint(1, 2))]


STORIES: tuple[tuple[int, Story], ...] = (
    (22, pays_and_returns),
    (12, pays_and_never_returns),
    (8, is_declined_first),
    (7, is_asked_for_3ds),
    (12, pays_by_debit),
    (8, lets_it_expire),
    (6, never_pays),
    (6, pays_in_two_tabs),
    (6, presses_again_after_paying),
    (6, presses_again_before_paying),
    (6, pays_a_closing_session),
    (12, buys_for_a_team),
    (10, shares_a_link),
    (9, is_given_up_and_pays_late),
    (5, pays_twice),
)


# Where a story needs a course of a kind.
COURSES_OF: dict[Story, tuple[Course, ...]] = {
    buys_for_a_team: TEAM_COURSES,
    shares_a_link: TEAM_COURSES,
    is_given_up_and_pays_late: SCARCE_COURSES,
}


def _click(rng: Random, buyer: int, course: Course) -> Enroll:
    return Enroll(buyer, course, clicks=rng.choice((1, 1, 1, 2, 3)), wish=_wish(rng))


def _wish(rng: Random) -> Wish:
    """Most people press the button; the others fill in the checkout page."""
    lot = rng.random()
    if lot < 0.68:
        return Wish()
    form, is_forgetful = f"form{rng.randrange(10**9)}", rng.random() < 0.15
    if lot < 0.79:
        quantity = rng.randint(2, 4)
        code = rng.choice(("", "TEAM", "HALF")) if quantity > 2 else ""
        return Wish(quantity=quantity, takes_seat=rng.random() < 0.7, code=code, form=form, is_forgetful=is_forgetful)
    if lot < 0.87:
        return Wish(
            gift=rng.randrange(10**6), gift_days=rng.choice((0, 0, 1, 2)), code=rng.choice(("", "LAST")), form=form
        )
    return Wish(code=rng.choice(("HALF", "LAST", "LAST", "ONCE", "ALL")), form=form, is_forgetful=is_forgetful)


def _buy_seats(rng: Random, buyer: int, course: Course) -> list[Step]:
    wish = Wish(quantity=rng.randint(2, 5), takes_seat=rng.random() < 0.6, form=f"team{rng.randrange(10**9)}")
    return [Enroll(buyer, course, wish=wish), Pay(buyer, course), ComeBack(buyer, course)]


def _some_people(rng: Random, number: int) -> tuple[int, ...]:
    return tuple(rng.sample(range(MEMBERS), number))


def _join(rng: Random, buyer: int, course: Course, *, is_old: bool = False) -> Join:
    users = tuple(rng.sample(range(6), rng.choice((0, 0, 1, 2))))
    return Join(buyer, course, tuple(rng.sample(range(6), rng.randint(1, 4))), users, is_old=is_old)


def _pick_seat_step(rng: Random, buyer: int, course: Course) -> Step:
    lot, choice, person = rng.random(), rng.random(), rng.randrange(MEMBERS)
    times, is_raced = rng.choice((1, 1, 2)), rng.random() < 0.4
    if lot < 0.30:
        return TakeSeat(choice, clicks=times)
    if lot < 0.42:
        return OpenLesson(choice)
    if lot < 0.54:
        return Invite(buyer, course, _some_people(rng, rng.choice((1, 2))))
    action = "resend" if lot < 0.64 else "take-back" if lot < 0.8 else "reassign"
    return ChangeSeat(buyer, course, action, choice, person, times=times, is_raced=is_raced)


def _ends_well(rng: Random, buyer: int, course: Course) -> list[Step]:
    return [Pay(buyer, course), *([ComeBack(buyer, course)] if rng.random() < 0.7 else [])]
