"""/admin/stripe/comparison: the reconciler's last runs, a run by hand, and a dry run; workers do both."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.checkout.reconcile_scans import begin_manual_run, begin_plan_run
from app.reports.difference_words import describe_difference
from app.reports.job_lists import read_heartbeat
from app.reports.reconcile_runs import list_run_outcomes, list_runs

RUNNING = "One is under way already: it was begun a moment ago."
RESULTS = {
    "healed": ("Healed", "ok"),
    "would_heal": ("Would be healed", "info"),
    "unhealed": ("Not healed", "bad"),
    "unanswered": ("Stripe did not answer", "warn"),
}


@page("/stripe/comparison", needs=p.STRIPE_READ)
def reconcile_runs() -> str:
    runs = list_runs()
    chosen = next((run for run in runs if run.run_key == request.args.get("run")), runs[0] if runs else None)
    outcomes = list_run_outcomes(chosen.run_key) if chosen else []
    return render_template(
        "admin/stripe/comparison.html", runs=runs, chosen=chosen, outcomes=outcomes, describe=describe_difference,
        results=RESULTS, heartbeat=read_heartbeat(),
    )  # fmt: skip


@action("/stripe/comparison", needs=p.STRIPE_WRITE)
def reconcile_now() -> ResponseReturnValue:
    is_new = begin_manual_run()
    say("The comparison has begun. A worker does it: reload in a moment." if is_new else RUNNING)
    return redirect(url_for("admin.reconcile_runs"), 303)


@action("/stripe/comparison/dry-run", needs=p.STRIPE_WRITE)
def plan_reconcile() -> ResponseReturnValue:
    is_new = begin_plan_run()
    say("The dry run has begun: it changes nothing. Reload in a moment." if is_new else RUNNING)
    return redirect(url_for("admin.reconcile_runs"), 303)
