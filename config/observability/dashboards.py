#!/usr/bin/env python3
"""Writes Grafana's dashboards into grafana/: `python3 config/observability/dashboards.py`. Needs nothing but Python.

The dashboards are JSON that Grafana imports; this is the readable form of them. Whoever changes a dashboard in Grafana changes it
here too, or it is gone with the next import. A test says when the files are not what this script writes.
"""

import json
import pathlib
import sys

RUNBOOKS = "https://github.com/forthwith/forthwith/blob/main/docs/RUNBOOKS.md"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# What every query is narrowed to.
I = 'job=~"$job", instance=~"$instance"'
P = I + ', playbook=~"$playbook"'
# Series of the recording rules are of a whole job.
J = 'job=~"$job"'
RATE = "[$__rate_interval]"
STACKING = {False: "none", True: "normal", "percent": "percent"}


def rate(series, labels=I, by=""):
    return f"sum{f' by ({by})' if by else ''} (rate({series}{{{labels}}}{RATE}))"


def quantile(q, series, labels=I, by=""):
    le = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({le}) (rate({series}_bucket{{{labels}}}{RATE})))"


def share(part, whole):
    """`part` of `whole`; 0 where there is nothing at all, for nothing of nothing is no fault."""
    return f"{part} / ({whole} > 0) or 0 * {whole}"


class Panel:
    """One panel: a title, what it tells, and its queries as (expression, legend)."""

    def __init__(self, title, tells, queries, unit, kind="timeseries", width=8, height=8, warn=None, bad=None, low=0, high=None,
                 runbook=None, stacked=False, decimals=None, mappings=None, calc="lastNotNull", exemplars=False):
        self.__dict__.update(locals())

    def steps(self):
        steps = [{"color": "green", "value": None}]
        if self.warn is not None:
            steps.append({"color": "orange", "value": self.warn})
        if self.bad is not None:
            steps.append({"color": "red", "value": self.bad})
        # The lower it is the worse it is.
        if self.warn is not None and self.bad is not None and self.bad < self.warn:
            steps = [{"color": "red", "value": None}, {"color": "orange", "value": self.bad}, {"color": "green", "value": self.warn}]
        return steps

    def json(self, number, x, y):
        is_graph = self.kind == "timeseries"
        defaults = {
            "unit": self.unit,
            "min": self.low,
            "thresholds": {"mode": "absolute", "steps": self.steps()},
            "color": {"mode": "palette-classic" if is_graph else "thresholds"},
        }
        if self.high is not None:
            defaults["max"] = self.high
        if self.decimals is not None:
            defaults["decimals"] = self.decimals
        if self.mappings:
            options = {str(value): {"text": text, "color": color, "index": index}
                       for index, (value, text, color) in enumerate(self.mappings)}
            defaults["mappings"] = [{"type": "value", "options": options}]
        has_thresholds = self.warn is not None or self.bad is not None
        if is_graph:
            defaults["custom"] = {
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": 25 if self.stacked else 8, "showPoints": "never", "spanNulls": False,
                "stacking": {"mode": STACKING[self.stacked], "group": "A"},
                "thresholdsStyle": {"mode": "dashed" if has_thresholds else "off"},
            }
        links = []
        if self.runbook:
            links = [{"title": "Runbook", "url": f"{RUNBOOKS}#{self.runbook.lower()}", "targetBlank": True}]
        is_heatmap = self.kind == "heatmap"
        targets = [
            {"refId": chr(ord("A") + nth), "datasource": DATASOURCE, "editorMode": "code", "expr": expression, "legendFormat": legend,
             "range": True, "instant": False, "exemplar": self.exemplars, "format": "heatmap" if is_heatmap else "time_series"}
            for nth, (expression, legend) in enumerate(self.queries)
        ]
        return {
            "id": number, "type": self.kind, "title": self.title, "description": self.tells, "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height}, "links": links, "targets": targets,
            "fieldConfig": {"defaults": defaults, "overrides": []}, "options": self.options(),
        }

    def options(self):
        if self.kind == "stat":
            return {"reduceOptions": {"calcs": [self.calc], "fields": "", "values": False}, "colorMode": "background", "graphMode": "area",
                    "textMode": "auto", "justifyMode": "auto", "orientation": "auto"}
        if self.kind == "bargauge":
            return {"reduceOptions": {"calcs": [self.calc], "fields": "", "values": False}, "displayMode": "basic", "orientation": "horizontal",
                    "showUnfilled": True}
        if self.kind == "state-timeline":
            return {"mergeValues": True, "showValue": "never", "rowHeight": 0.8, "legend": {"showLegend": False}}
        if self.kind == "heatmap":
            color = {"mode": "scheme", "scheme": "Turbo", "steps": 64, "exponent": 0.5, "fill": "dark-orange", "reverse": False}
            return {"calculate": False, "cellGap": 1, "cellValues": {}, "color": color, "filterValues": {"le": 1e-9}, "legend": {"show": True},
                    "rowsFrame": {"layout": "auto"}, "showValue": "never", "tooltip": {"show": True, "yHistogram": False},
                    "yAxis": {"axisPlacement": "left", "unit": self.unit}}
        return {"legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["mean", "max"]},
                "tooltip": {"mode": "multi", "sort": "desc"}}


def query_variable(name, label, query, many=True):
    return {
        "name": name, "label": label, "type": "query", "datasource": DATASOURCE, "query": {"query": query, "refId": name}, "refresh": 2,
        "sort": 1, "multi": many, "includeAll": many, "allValue": ".+" if many else None,
        "current": {"text": "All", "value": "$__all"} if many else {}, "options": [], "hide": 0,
    }


def dashboard(uid, title, tells, rows, one_playbook=False):
    """A dashboard of rows: a row is a title and its panels, which flow from left to right."""
    variables = [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}, "options": [], "hide": 0,
         "refresh": 1, "multi": False, "includeAll": False},
        query_variable("job", "Job", "label_values(forthwith_turns_total, job)"),
        query_variable("instance", "Instance", 'label_values(forthwith_turns_total{job=~"$job"}, instance)'),
        query_variable("playbook", "Playbook", 'label_values(forthwith_decisions_total{job=~"$job"}, playbook)', not one_playbook),
    ]
    panels, y = [], 0
    for row, inside in rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": row, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        x = tallest = 0
        for panel in inside:
            if x + panel.width > 24:
                x, y, tallest = 0, y + tallest, 0
            panels.append(panel.json(len(panels) + 1, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    changed = {
        "name": "Bundle changed", "datasource": DATASOURCE, "enable": True, "hide": False, "iconColor": "purple", "step": "30s",
        "expr": f"changes(forthwith_bundle_changes_total{{{I}}}[1m]) > 0", "titleFormat": "another bundle is in force",
        "textFormat": "{{instance}}",
    }
    return {
        "uid": f"forthwith-{uid}", "title": f"Forthwith: {title}", "description": tells, "tags": ["forthwith"], "schemaVersion": 38,
        "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "browser", "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": variables}, "annotations": {"list": [changed]},
        "links": [
            {"type": "dashboards", "title": "Forthwith", "tags": ["forthwith"], "asDropdown": True, "includeVars": True, "keepTime": True},
            {"type": "link", "title": "Runbooks", "url": RUNBOOKS, "targetBlank": True},
        ],
        "panels": panels,
    }


def burn(of, ratio, window):
    """How many times faster than allowed the budget of a service level goes."""
    return f"max by (job) ({ratio}:ratio_rate{window}{{{J}}}) / on () group_left () (1 - forthwith:{of}:objective)"


def budget_left(of, ratio):
    return f"1 - (max by (job) ({ratio}:ratio_rate30d{{{J}}}) / on () group_left () (1 - forthwith:{of}:objective))"


LEVELS = [
    ("availability", "job:forthwith_unanswered", "requests that were neither shed nor failed"),
    ("latency", "playbook:forthwith_decisions_slow", "decisions within 50 ms, of the playbook that stands worst"),
    ("fallbacks", "playbook:forthwith_fallbacks_unwanted", "decisions without an unwanted fallback, of the playbook that stands worst"),
]
ALERT_OF = {
    "availability": "ForthwithAvailabilityBurnsFast", "latency": "ForthwithLatencyBurnsFast", "fallbacks": "ForthwithFallbacksBurnFast",
}
FLAG = [(0, "no", "green"), (1, "yes", "red")]

OVERVIEW = dashboard("overview", "overview", "Does it answer, how quickly, and with what. Look here first.", [
    ("At a glance", [
        Panel("Servers", "Servers whose metrics can be read, of those that Prometheus knows. Red: one is gone.",
              [(f'avg(up{{{J}}})', "reachable")], "percentunit", "stat", 4, 4, warn=1, bad=0.999, high=1, runbook="ForthwithDown"),
        Panel("Decisions", "Decisions given a second, repetitions included.",
              [(rate("forthwith_decisions_total", P), "decisions")], "reqps", "stat", 4, 4),
        Panel("p99 of a decision", "One decision in a hundred takes longer, from taking the event to giving the decision, on the server.",
              [(quantile(0.99, "forthwith_decision_seconds", P), "p99")], "s", "stat", 4, 4, warn=0.05, bad=0.2, runbook="ForthwithLatencyBurnsFast"),
        Panel("Fallbacks", "Share of the decisions in which the playbook's default or the rules stood in for a proposal, for whatever reason.",
              [(share(rate("forthwith_fallbacks_total", P), rate("forthwith_decisions_total", P)), "fallbacks")],
              "percentunit", "stat", 4, 4, warn=0.1, bad=0.5, high=1, runbook="ForthwithFallbacksBurnFast"),
        Panel("Shed", "Requests a second that were not taken on, for want of room or time.",
              [(rate("forthwith_shed_total"), "shed")], "reqps", "stat", 4, 4, warn=0.1, bad=10, runbook="ForthwithSheds"),
        Panel("Failed", "Decisions and events a second that came to an error that is not the caller's.",
              [(rate("forthwith_failed_total"), "failed")], "reqps", "stat", 4, 4, warn=0.001, bad=1, runbook="ForthwithFailures"),
    ] + [
        Panel(f"Left of the month: {of}", f"What is left of the error budget of 30 days: {what}. Below nothing the promise is broken.",
              [(budget_left(of, ratio), "{{job}}")], "percentunit", "stat", 8, 4, warn=0.25, bad=0.0, low=-1, high=1, runbook=ALERT_OF[of])
        for of, ratio, what in LEVELS
    ]),
    ("Decisions", [
        Panel("Decisions by playbook", "Decisions given a second by playbook.",
              [(rate("forthwith_decisions_total", P, "playbook"), "{{playbook}}")], "reqps", stacked=True),
        Panel("Latency", "From taking an event to giving its decision, on the server, all playbooks shown together.",
              [(quantile(q, "forthwith_decision_seconds", P), name) for q, name in
               [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")]], "s", warn=0.05, runbook="ForthwithLatencyBurnsFast",
              exemplars=True),
        Panel("Stages, p99", "Where the time goes: see docs/METRICS.md for what each stage holds. `disk` is the journal's sync.",
              [(quantile(0.99, "forthwith_decision_stage_seconds", I, "stage"), "{{stage}}")], "s", runbook="ForthwithLatencyBurnsFast"),
        Panel("Tiers", "Share of the decisions by who decided: rules, small models, large models.",
              [(rate("forthwith_decisions_total", P, "tier"), "{{tier}}")], "reqps", stacked="percent"),
        Panel("Fallbacks by reason", "Decisions a second in which something stood in for a proposal, by why.",
              [(rate("forthwith_fallbacks_total", P, "reason"), "{{reason}}")], "reqps", stacked=True, runbook="ForthwithFallbacksBurnFast"),
        Panel("Slow decisions", "Decisions a second that took more than a share of their budget (`[log] slow_share`); each has a line in the log, up to a bound.",
              [(rate("forthwith_slow_decisions_total", P, "playbook"), "{{playbook}}")], "reqps", runbook="ForthwithLatencyBurnsFast"),
        Panel("Latency by tier, p99", "One decision in a hundred takes longer, by who decided.",
              [(quantile(0.99, "forthwith_decision_seconds", P, "tier"), "{{tier}}")], "s", warn=0.05, runbook="ForthwithLatencyBurnsFast"),
        Panel("Late and pending", "Turns that were taken too late for anything but the default, and decisions that were given before the "
              "disk had confirmed them.",
              [(rate("forthwith_turns_late_total"), "late turns"), (rate("forthwith_decisions_pending_total"), "pending decisions")],
              "reqps", runbook="ForthwithDecisionsLate"),
    ]),
    ("What is not answered", [
        Panel("Shed by reason", "Requests a second that were not taken on. `mailbox_full` is one customer who sends too much; "
              "`overloaded` is told apart under \"Shed before work\"; the others are about all of them.", [(rate("forthwith_shed_total", I, "reason"), "{{reason}}")], "reqps", stacked=True, runbook="ForthwithSheds"),
        Panel("Failed by cause", "Decisions and events a second that came to an error that is not the caller's.",
              [(rate("forthwith_failed_total", I, "cause"), "{{cause}}")], "reqps", stacked=True, runbook="ForthwithFailures"),
        Panel("Refused by reason", "Requests a second that were refused for what they say: it is the caller who can mend that.",
              [(rate("forthwith_refused_total", I, "reason"), "{{reason}}")], "reqps", stacked=True, runbook="ForthwithCallersRefused"),
    ]),
    ("Service levels", [
        Panel(f"Burn: {of}", f"How many times faster than allowed the month's budget goes ({what}). Above 14.4 over an hour somebody is "
              "woken; at 1 it lasts a month.",
              [(burn(of, ratio, window), f"{{{{job}}}} {window}") for window in ("5m", "1h", "6h", "3d")], "none", warn=1, bad=14.4,
              runbook=ALERT_OF[of])
        for of, ratio, what in LEVELS
    ]),
    ("Self-check", [
        Panel("Runs by result", "Ways that synthetic customers went a second, by what came of it. `unreached`: no event that can be made up leads there.",
              [(rate("forthwith_selfcheck_runs_total", P, "result"), "{{result}}")], "reqps", stacked=True, runbook="ForthwithSelfcheckFails"),
        Panel("Last good decision", "Time since a synthetic customer last got a decision, its record and its explanation, by playbook.",
              [(f'max by (instance, playbook) (time() - forthwith_selfcheck_last_success_timestamp_seconds{{{P}, path="decide"}})', "{{playbook}} {{instance}}")],
              "s", warn=120, bad=600, runbook="ForthwithSelfcheckSilent"),
        Panel("Fallbacks last exercised", "Time since each fallback was last exercised, by the self-check or in earnest: the longest ago.",
              [(f"topk(10, max by (playbook, reason) (forthwith_fallback_exercised_age_seconds{{{P}}}))", "{{playbook}} {{reason}}")], "s", "bargauge",
              warn=86400, bad=7 * 86400, runbook="ForthwithFallbackNotExercised"),
    ]),
    ("Admission", [
        Panel("Admitted", "What part of what is offered is taken on; the line that admits the least.",
              [(f"min by (instance) (forthwith_admission_share_ratio{{{I}}})", "{{instance}}")], "percentunit", high=1, runbook="ForthwithOverloaded"),
        Panel("Delay before work", "How long requests wait before work on them begins, and the delay that is aimed at under overload.",
              [(f"max by (instance) (forthwith_admission_delay_seconds{{{I}}})", "{{instance}}"),
               (f"max(forthwith_admission_delay_target_seconds{{{I}}})", "aimed at")], "s", runbook="ForthwithOverloaded"),
        Panel("Shed before work", "Requests a second that were shed before work was done for them, by priority and why.",
              [(rate("forthwith_admission_shed_total", I, "priority, reason"), "{{priority}} {{reason}}")], "reqps", stacked=True, runbook="ForthwithOverloaded"),
        Panel("Under way", "Requests under way, and turns that wait for customers who are busy or not yet in memory.",
              [(f"sum by (instance) (forthwith_admission_under_way{{{I}}})", "{{instance}} under way"),
               (f"sum by (instance) (forthwith_turns_waiting{{{I}}})", "{{instance}} waiting turns")], "none", width=12, runbook="ForthwithOverloaded"),
        Panel("Bodies under way", "Bytes of bodies of requests that are under way over HTTP.",
              [(f"sum by (instance) (forthwith_admission_body_bytes{{{I}}})", "{{instance}}")], "bytes", width=12, runbook="ForthwithOverloaded"),
    ]),
    ("The program", [
        Panel("Processors", "Processors that the program keeps busy. Near those of the machine, or of its share, it is at its limit.",
              [(f"sum by (instance) (rate(process_cpu_seconds_total{{{I}}}{RATE}))", "{{instance}}")], "none", runbook="ForthwithOverloaded"),
        Panel("Memory", "Memory that the program holds.", [(f"max by (instance) (process_resident_memory_bytes{{{I}}})", "{{instance}}")], "bytes",
              runbook="ForthwithPassivationThrash"),
        Panel("Files and connections", "Files and connections that are open, as a share of those that may be.",
              [(f"max by (instance) (process_open_fds{{{I}}} / process_max_fds{{{I}}})", "{{instance}}")], "percentunit", warn=0.6, bad=0.8, high=1,
              runbook="ForthwithFilesNearlyOut"),
        Panel("Up for", "Time since the engine was started.", [(f"time() - max by (instance) (forthwith_start_time_seconds{{{I}}})", "{{instance}}")], "s", "stat", 6, 5,
              runbook="ForthwithRestarts"),
        Panel("Versions", "Versions of the program that run. More than one: a roll-out is under way.",
              [(f"count by (version) (forthwith_build_info{{{I}}})", "{{version}}")], "none", "stat", 6, 5),
        Panel("Bundles in force", "Servers by the bundle that they decide by. More than one: a roll-out is under way, or was forgotten.",
              [(f"count by (bundle) (forthwith_bundle_info{{{I}}})", "{{bundle}}")], "none", "stat", 6, 5, runbook="ForthwithBundlesDiffer"),
        Panel("Bundles refused", "Changes of the bundle that were refused within an hour.",
              [(f"sum(increase(forthwith_bundle_refusals_total{{{I}}}[1h]))", "refused")], "none", "stat", 6, 5, bad=1, runbook="ForthwithBundleRefused"),
    ]),
    ("State", [
        Panel("What stands still", "Red while it is so: nothing is acknowledged, the disk is full, states cannot be stored, recovery has failed.",
              [(f"max by (instance) (forthwith_journal_stopped{{{I}}})", "journal stopped {{instance}}"),
               (f"max by (instance) (forthwith_journal_disk_full{{{I}}})", "disk full {{instance}}"),
               (f"max by (instance) (forthwith_store_failing{{{I}}})", "store failing {{instance}}"),
               (f"max by (instance) (forthwith_recovery_failed{{{I}}})", "recovery failed {{instance}}")],
              "none", "state-timeline", 12, 8, bad=1, mappings=FLAG, runbook="ForthwithJournalStopped"),
        Panel("Threads that do not move", "Time for which a thread that the engine cannot do without has not moved though it had work.",
              [(f"max by (instance, thread) (forthwith_thread_still_seconds{{{I}}})", "{{instance}} {{thread}}")], "s", width=12, warn=5, bad=30,
              runbook="ForthwithThreadStuck"),
        Panel("Panics and inputs set aside", "Turns that panicked within the interval, and inputs on which no turn is taken because three have.",
              [(f"sum by (instance) (increase(forthwith_turn_panics_total{{{I}}}{RATE}))", "panics {{instance}}"),
               (f"max by (instance) (forthwith_inputs_set_aside{{{I}}})", "set aside {{instance}}")],
              "none", width=12, bad=1, runbook="ForthwithInputsSetAside"),
        Panel("Other inputs", "Events that were taken without asking for one playbook, facts, consents, feedback and settlements a second.",
              [(rate("forthwith_events_observed_total"), "events"), (rate("forthwith_facts_total"), "facts"),
               (rate("forthwith_consents_total"), "consents"), (rate("forthwith_settlements_total"), "settlements"),
               (rate("forthwith_feedback_total"), "feedback"), (rate("forthwith_events_repeated_total"), "repeated events")], "reqps", width=12),
    ]),
])

TIERS = dashboard("tiers", "tiers", "Small models, agents and the providers of large models: do they answer, how quickly, how well, for what money.", [
    ("Small models", [
        Panel("What their word comes to", "Answers of small models a second, by what became of them. `late`, `shed` and `failed` are no answers.",
              [(rate("forthwith_model_answers_total", P, "model, word"), "{{model}} {{word}}")], "reqps", stacked=True, runbook="ForthwithModelSilent"),
        Panel("Accepted, and what was expected", "Share of recent answers that was accepted, beside the share of the calibration set that would be, "
              "and beside what the playbook lets a model leave to the next tier.",
              [(f"forthwith_model_accepted_ratio{{{P}}}", "{{playbook}} {{model}} accepted"),
               (f"forthwith_model_accepted_ratio_expected{{{P}}}", "{{playbook}} {{model}} expected")],
              "percentunit", high=1, runbook="ForthwithModelAcceptsLess"),
        Panel("Drift", "How far recent answers are from the calibration set (population stability index), and three times what chance alone makes "
              "of so few. Below 0.1 little has moved; above 0.25, and above chance, much has.",
              [(f"forthwith_model_psi{{{P}}}", "{{model}} {{of}}"), (f"3 * forthwith_model_psi_by_chance{{{P}}}", "{{model}} {{of}}, 3 x chance")],
              "none", warn=0.1, bad=0.25, runbook="ForthwithModelInputsMoved"),
        Panel("Classes", "What models think most likely, permitted or not, a second.",
              [(rate("forthwith_model_classes_total", P, "class"), "{{class}}")], "reqps", stacked=True, runbook="ForthwithModelInputsMoved"),
        Panel("Confidence", "How sure models are of what they think most likely.",
              [(f"sum by (le) (rate(forthwith_model_confidence_ratio_bucket{{{P}}}{RATE}))", "{{le}}")], "percentunit", "heatmap",
              runbook="ForthwithModelInputsMoved"),
        Panel("Right, of what was judged", "Share of a week's feedback that says that what a model proposed was right, accepted or not.",
              [(f'sum by (playbook, model) (increase(forthwith_model_judged_total{{{P}, correct="true"}}[7d])) / '
                f'(sum by (playbook, model) (increase(forthwith_model_judged_total{{{P}}}[7d])) > 0)', "{{playbook}} {{model}}")],
              "percentunit", warn=0.95, bad=0.9, high=1, runbook="ForthwithModelAccuracyLow"),
    ]),
    ("Agents", [
        Panel("What their word comes to", "Agents that were asked, a second, by what their word came to. Without an answer in time the rules' own holds.",
              [(rate("forthwith_agent_answers_total", P, "agent, word"), "{{agent}} {{word}}")], "reqps", stacked=True, runbook="ForthwithAgentUnusable"),
        Panel("Where answers came from, or why there was none", "Questions a second: asked of the model, shared with one under way, kept from before; or why nobody was asked or answered.",
              [(rate("forthwith_gateway_questions_total", I, "reply"), "{{reply}}")], "reqps", stacked=True, runbook="ForthwithFallbacksBurnFast"),
        Panel("Answers that were kept or shared", "Share of the questions that needed no request: answered from memory, or together with one under way.",
              [(share('sum(rate(forthwith_gateway_questions_total{' + I + ', reply=~"shared|cache|stale"}' + RATE + '))',
                      'sum(rate(forthwith_gateway_questions_total{' + I + ', reply=~"model|shared|cache|stale"}' + RATE + '))'), "kept or shared")],
              "percentunit", high=1),
        Panel("Money an hour, by agent", "What decisions cost by their agents, in units of the currency of the prices.",
              [(f"sum by (playbook, agent) (rate(forthwith_agent_cost_total{{{P}}}{RATE})) * 3600", "{{playbook}} {{agent}}")], "none",
              stacked=True, decimals=4, runbook="ForthwithBudgetNearlySpent"),
        Panel("Budgets of the day", "Share of each budget that was spent since midnight UTC, calls under way included.",
              [(f"max by (instance, budget) (forthwith_budget_spent{{{I}}} / forthwith_budget_max{{{I}}})", "{{budget}} {{instance}}")],
              "percentunit", "bargauge", warn=0.75, bad=0.9, high=1, runbook="ForthwithBudgetNearlySpent"),
        Panel("Late answers", "Answers a second that came after their decisions: recorded, and lost for want of room.",
              [(rate("forthwith_late_answers_total"), "recorded"), (rate("forthwith_late_answers_lost_total"), "lost")], "reqps",
              runbook="ForthwithLateAnswersLost"),
    ]),
    ("Providers", [
        Panel("Breakers", "Open: the provider is not asked, because it failed or was slow too often. Half-open: it is tried.",
              [(f"max by (instance, provider) (forthwith_gateway_breaker_state{{{I}}})", "{{provider}} {{instance}}")], "none", "state-timeline",
              warn=1, bad=2, mappings=[(0, "closed", "green"), (1, "half-open", "orange"), (2, "open", "red")], runbook="ForthwithBreakerOpen"),
        Panel("Breakers opened", "Times that a breaker opened, within the interval.",
              [(f"sum by (provider) (increase(forthwith_gateway_breaker_openings_total{{{I}}}{RATE}))", "{{provider}}")], "none", warn=1,
              runbook="ForthwithBreakerOpen"),
        Panel("Requests by ending", "Requests to large models a second by how they ended.",
              [(rate("forthwith_gateway_requests_total", I, "provider, ending"), "{{provider}} {{ending}}")], "reqps", stacked=True,
              runbook="ForthwithProviderFails"),
        Panel("Latency of requests", "From a request until its response was complete.",
              [(quantile(q, "forthwith_gateway_request_seconds", I, "provider, model"), "{{provider}}/{{model}} " + name)
               for q, name in [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")]], "s", runbook="ForthwithBreakerOpen"),
        Panel("First byte, p95", "From a request until the headers of its response.",
              [(quantile(0.95, "forthwith_gateway_first_byte_seconds", I, "provider, model"), "{{provider}}/{{model}}")], "s"),
        Panel("Learned latency", "The time within which half and nineteen of twenty are answered lately, as the choice of tiers sees it.",
              [(f"forthwith_gateway_learned_seconds{{{I}}}", "{{provider}}/{{model}} {{part}}")], "s"),
        Panel("Under way", "Requests under way to a provider, and how many there may be, as learned.",
              [(f"sum by (provider) (forthwith_gateway_in_flight{{{I}}})", "{{provider}}"),
               (f"sum by (provider) (forthwith_gateway_concurrency_limit{{{I}}})", "{{provider}} limit")], "none"),
        Panel("Retries and hedges", "Requests a second that were sent because one before them had failed, or was slow; and those of the latter that answered first.",
              [(rate("forthwith_gateway_retries_total", I, "provider"), "{{provider}} retries"),
               (rate("forthwith_gateway_hedges_total", I, "provider, hedge"), "{{provider}} hedges {{hedge}}")], "reqps"),
        Panel("Passed over", "Models that were passed over for a question, a second, by why.",
              [(rate("forthwith_gateway_skipped_total", I, "provider, model, reason"), "{{provider}}/{{model}} {{reason}}")], "reqps", stacked=True),
        Panel("Tokens", "Tokens a second as providers counted them; `cached` are among `prompt`.",
              [(rate("forthwith_gateway_tokens_total", I, "provider, kind"), "{{provider}} {{kind}}")], "none"),
        Panel("Money an hour, by provider", "What requests cost, late and retried ones included, in units of the currency of the prices.",
              [(f"sum by (provider, model) (rate(forthwith_gateway_cost_total{{{I}}}{RATE})) * 3600", "{{provider}}/{{model}}")], "none",
              stacked=True, decimals=4, runbook="ForthwithBudgetNearlySpent"),
        Panel("Calls", "Calls under way, those that go on after the deadline of their decisions, and what is kept of answers.",
              [(f"sum(forthwith_gateway_calls{{{I}}})", "under way"), (f"sum(forthwith_gateway_lingering{{{I}}})", "lingering"),
               (f"sum(forthwith_gateway_cache_answers{{{I}}})", "kept answers")], "none"),
        Panel("Late answers and stale connections", "Answers a second that came after every decision that waited for them, and requests sent again because a "
              "kept connection had been closed.",
              [(rate("forthwith_gateway_late_answers_total", I, "provider"), "{{provider}} late"),
               (rate("forthwith_gateway_stale_connections_total", I, "provider"), "{{provider}} stale connections")], "reqps"),
        Panel("Memory of kept answers", "Bytes of answers that are kept, about.",
              [(f"sum by (instance) (forthwith_gateway_cache_bytes{{{I}}})", "{{instance}}")], "bytes"),
        Panel("Questions that wait for a slow model", "Questions that wait for a neural model of one's own. Its other series are on the dashboard "
              "\"slow models\".", [(f"sum by (instance) (forthwith_inference_waiting{{{I}}})", "{{instance}}")], "none", warn=200,
              runbook="ForthwithModelSilent"),
    ]),
])

# Its series are there where a playbook uses a neural model.
POOL = dashboard("slow-models", "slow models", "Neural models of one's own, asked in batches on threads of their own. Empty without such a model.", [
    ("Inference", [
        Panel("Answers", "Questions to slow models a second, by what came of them.",
              [(rate("forthwith_inference_answers_total", I, "model, answer"), "{{model}} {{answer}}")], "reqps", stacked=True,
              runbook="ForthwithModelSilent"),
        Panel("Time of a batch", "What a model takes for a batch.",
              [(quantile(q, "forthwith_inference_service_seconds", I, "model"), "{{model}} " + name) for q, name in [(0.5, "p50"), (0.99, "p99")]], "s",
              runbook="ForthwithModelSilent"),
        Panel("Wait", "From a question until its batch closes.",
              [(quantile(q, "forthwith_inference_wait_seconds", I, "model"), "{{model}} " + name) for q, name in [(0.5, "p50"), (0.99, "p99")]], "s",
              runbook="ForthwithModelSilent"),
        Panel("Texts in a batch", "How well batches fill.", [(quantile(0.5, "forthwith_inference_batch_texts", I, "model"), "{{model}} p50"),
                                                             (quantile(0.95, "forthwith_inference_batch_texts", I, "model"), "{{model}} p95")], "none"),
        Panel("What closes batches", "Batches a second: full, idle (the model had nothing to do), quiet, deadline.",
              [(rate("forthwith_inference_batches_total", I, "model, closed_by"), "{{model}} {{closed_by}}")], "ops", stacked=True),
        Panel("Questions that wait", "Questions that wait for a slow model; `[inference] queue_max` bounds them.",
              [(f"sum by (instance) (forthwith_inference_waiting{{{I}}})", "{{instance}}")], "none", warn=200, runbook="ForthwithModelSilent"),
    ]),
])

JOURNAL = dashboard("journal", "journal", "The journal that every decision is written to, the store behind it, and recovery.", [
    ("Commits", [
        Panel("Commit latency", "Time to write and sync a batch. A decision with `ack = \"disk\"` waits for one, or for two if it comes during one.",
              [(quantile(q, "forthwith_journal_commit_seconds"), name) for q, name in [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")]], "s",
              warn=0.01, bad=0.05, runbook="ForthwithJournalSlow"),
        Panel("Commit latency, spread", "The same as a picture: a disk with two speeds shows two bands.",
              [(f"sum by (le) (rate(forthwith_journal_commit_seconds_bucket{{{I}}}{RATE}))", "{{le}}")], "s", "heatmap", runbook="ForthwithJournalSlow"),
        Panel("Records in a batch", "How many decisions share a sync.",
              [(quantile(q, "forthwith_journal_batch_records"), name) for q, name in [(0.5, "p50"), (0.99, "p99")]] +
              [(share(rate("forthwith_journal_records_total"), rate("forthwith_journal_commits_total")), "mean")], "none"),
        Panel("Records and commits", "Records and batches written and synced a second.",
              [(rate("forthwith_journal_records_total"), "records"), (rate("forthwith_journal_commits_total"), "commits")], "ops"),
        Panel("Bytes written", "Bytes written and synced a second, and bytes of compressed files.",
              [(rate("forthwith_journal_bytes_total"), "journal"), (rate("forthwith_journal_sealed_bytes_total"), "compressed")], "Bps"),
        Panel("Queue", "Records that wait for the disk, as a share of `[journal] queue_bytes`. When it is full requests are held off, then shed.",
              [(f"max by (instance) (forthwith_journal_queue_bytes{{{I}}} / forthwith_journal_queue_max_bytes{{{I}}})", "{{instance}}")], "percentunit", warn=0.5, bad=0.9,
              runbook="ForthwithSheds"),
        Panel("Waiting for the disk, p99", "From the end of a turn until the journal has synced it.",
              [(quantile(0.99, "forthwith_decision_stage_seconds", I + ', stage="disk"'), "p99")], "s", warn=0.05, runbook="ForthwithJournalSlow"),
        Panel("Disk full, or stopped", "Red while the journal waits for room, or has stopped after a failed write.",
              [(f"max by (instance) (forthwith_journal_disk_full{{{I}}})", "full {{instance}}"),
               (f"max by (instance) (forthwith_journal_stopped{{{I}}})", "stopped {{instance}}")], "none", "state-timeline", bad=1, mappings=FLAG,
              runbook="ForthwithDiskFull"),
        Panel("Decisions before the disk", "Decisions a second that were given as `pending`, because their deadline came before the disk.",
              [(rate("forthwith_decisions_pending_total"), "pending")], "reqps", warn=0.1, runbook="ForthwithDecisionsPending"),
    ]),
    ("Files", [
        Panel("Files that wait to be sealed", "Full files that the sealer has not yet seen to.",
              [(f"max by (instance) (forthwith_journal_unsealed_segments{{{I}}})", "{{instance}}")], "none", warn=8, runbook="ForthwithSealingBehind"),
        Panel("Files sealed", "Full files compressed, and attempts that failed, within an hour.",
              [(f"sum(increase(forthwith_journal_sealed_segments_total{{{I}}}[1h]))", "sealed"),
               (f"sum(increase(forthwith_journal_sealing_failures_total{{{I}}}[1h]))", "failed")], "none", runbook="ForthwithSealingFails"),
    ]),
    ("Store and recovery", [
        Panel("Checkpoints", "Time to store all changed states.",
              [(quantile(0.99, "forthwith_checkpoint_seconds"), "p99")], "s", runbook="ForthwithCheckpointOverdue"),
        Panel("States", "States written to the store a second, and those that what had expired was dropped from.",
              [(rate("forthwith_states_saved_total"), "written"), (rate("forthwith_states_purged_total"), "purged")], "ops"),
        Panel("Not yet stored", "Records that a start would read: those after the one up to which every stored state is current.",
              [(f"max by (instance) (forthwith_journal_seq{{{I}}} - forthwith_checkpoint_seq{{{I}}})", "{{instance}}")], "none", runbook="ForthwithCheckpointOverdue"),
        Panel("Store failing", "Red while states cannot be stored.",
              [(f"max by (instance) (forthwith_store_failing{{{I}}})", "{{instance}}")], "none", "state-timeline", bad=1, mappings=FLAG,
              runbook="ForthwithStoreFailing"),
        Panel("Recovery", "Records that are yet to be read until the stored states are up to date, and records applied a second.",
              [(f"max by (instance) (forthwith_recovery_records_left{{{I}}})", "left {{instance}}"), (rate("forthwith_recovered_records_total"), "applied a second")],
              "none", runbook="ForthwithRecoveryStuck"),
        Panel("Recovery failed", "Red if a stored state or a record could not be read: nothing is decided then.",
              [(f"max by (instance) (forthwith_recovery_failed{{{I}}})", "{{instance}}")], "none", "state-timeline", bad=1, mappings=FLAG,
              runbook="ForthwithRecoveryFailed"),
    ]),
])

CUSTOMERS = dashboard("customers", "customers", "Customers in memory: how many, how much room they take, how they come and go, and who waits.", [
    ("In memory", [
        Panel("Customers in memory", "Customers whose state is held in memory.",
              [(f"sum by (instance) (forthwith_hot_customers{{{I}}})", "{{instance}}")], "none", runbook="ForthwithPassivationThrash"),
        Panel("Bytes", "What they take; `[engine] hot_bytes` bounds it. And what is kept of resting ones, encoded.",
              [(f"sum by (instance) (forthwith_hot_bytes{{{I}}})", "{{instance}}"),
               (f"sum by (instance) (forthwith_warm_bytes{{{I}}})", "{{instance}} warm")], "bytes", runbook="ForthwithPassivationThrash"),
        Panel("Room", "What of the bounds of memory is taken (`hot_bytes`, `hot_customers_max`, `warm_bytes` of `[engine]`). From seven eighths on customers are put to rest.",
              [(f"max by (instance) (forthwith_hot_bytes{{{I}}} / forthwith_hot_max_bytes{{{I}}})", "{{instance}} bytes"),
               (f"max by (instance) (forthwith_hot_customers{{{I}}} / forthwith_hot_max_customers{{{I}}})", "{{instance}} customers"),
               (f"max by (instance) (forthwith_warm_bytes{{{I}}} / forthwith_warm_max_bytes{{{I}}})", "{{instance}} resting")], "percentunit", warn=0.875, high=1,
              runbook="ForthwithPassivationThrash"),
        Panel("Bytes a customer", "What a customer in memory takes on average.",
              [(share(f"sum by (instance) (forthwith_hot_bytes{{{I}}})", f"sum by (instance) (forthwith_hot_customers{{{I}}})"), "{{instance}}")], "bytes"),
    ]),
    ("Coming and going", [
        Panel("Brought into memory", "Customers a second by where their state came from: new, warm (memory, encoded), cold (the store).",
              [(rate("forthwith_activations_total", I, "from"), "{{from}}")], "ops", stacked=True),
        Panel("Put to rest", "Customers put to rest a second.", [(rate("forthwith_passivations_total", I, "instance"), "{{instance}}")], "ops"),
        Panel("Back within a second", "Customers a second that were brought back within a second of being put to rest. Many: memory is too small.",
              [(rate("forthwith_activations_soon_total", I, "instance"), "{{instance}}")], "ops", warn=1, runbook="ForthwithPassivationThrash"),
        Panel("Held off", "Customers a second that waited until memory had room for them.",
              [(rate("forthwith_activations_held_total", I, "instance"), "{{instance}}")], "ops", warn=0.1, runbook="ForthwithCustomersHeldOff"),
    ]),
    ("Turns", [
        Panel("Turns", "Turns taken a second.", [(rate("forthwith_turns_total", I, "instance"), "{{instance}}")], "ops"),
        Panel("Share that waited", "Turns that waited because their customer was busy. One busy customer is enough to make it large.",
              [(share(rate("forthwith_turns_queued_total"), rate("forthwith_turns_total")), "waited")], "percentunit", high=1),
        Panel("Handed over", "Times a second that a caller had taken its share of a busy customer's turns and a keeper went on: a sign of hot customers.",
              [(rate("forthwith_handovers_total", I, "instance"), "{{instance}}")], "ops"),
        Panel("Full mailboxes", "Requests a second that were shed because too many of the same customer waited already.",
              [(rate("forthwith_shed_total", I + ', reason="mailbox_full"', "instance"), "{{instance}}")], "reqps", warn=0.1,
              runbook="ForthwithCustomerFloods"),
        Panel("Turns that wait", "Turns that wait now for customers who are busy or not yet in memory.",
              [(f"sum by (instance) (forthwith_turns_waiting{{{I}}})", "{{instance}}")], "none", runbook="ForthwithDecisionsLate"),
        Panel("Late turns", "Turns a second that were taken too late for anything but the default; their events are kept.",
              [(rate("forthwith_turns_late_total", I, "instance"), "{{instance}}")], "reqps", warn=0.1, runbook="ForthwithDecisionsLate"),
        Panel("Waiting and turn, p99", "Waiting for a customer who is busy or not yet in memory, and the turn itself.",
              [(quantile(0.99, "forthwith_decision_stage_seconds", I + ', stage=~"queue|turn"', "stage"), "{{stage}}")], "s", warn=0.05,
              runbook="ForthwithDecisionsLate"),
    ]),
])

PLAYBOOK = dashboard("playbook", "a playbook", "One playbook: what it decides, how quickly, what holds its proposals in, and how it did.", [
    ("Decisions", [
        Panel("Decisions", "Decisions given a second, by how they came about.",
              [(rate("forthwith_decisions_total", P, "outcome"), "{{outcome}}")], "reqps", stacked=True),
        Panel("Tiers", "Decisions a second by who decided.", [(rate("forthwith_decisions_total", P, "tier"), "{{tier}}")], "reqps", stacked=True),
        Panel("Fallbacks by reason", "Decisions a second in which something stood in for a proposal, by why.",
              [(rate("forthwith_fallbacks_total", P, "reason"), "{{reason}}")], "reqps", stacked=True, runbook="ForthwithFallbacksBurnFast"),
        Panel("Latency", "From taking an event to giving its decision, on the server.",
              [(quantile(q, "forthwith_decision_seconds", P), name) for q, name in [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")]], "s",
              warn=0.05, runbook="ForthwithLatencyBurnsFast", exemplars=True),
        Panel("Latency, spread", "The same as a picture: tiers show as bands.",
              [(f"sum by (le) (rate(forthwith_decision_seconds_bucket{{{P}}}{RATE}))", "{{le}}")], "s", "heatmap", runbook="ForthwithLatencyBurnsFast"),
        Panel("Slow and unwanted fallbacks, one hour", "Share of an hour's decisions that took longer than 50 ms, and in which an unwanted fallback stood in: what the "
              "service levels count.",
              [(f'playbook:forthwith_decisions_slow:ratio_rate1h{{{J}, playbook=~"$playbook"}}', "slow"),
               (f'playbook:forthwith_fallbacks_unwanted:ratio_rate1h{{{J}, playbook=~"$playbook"}}', "unwanted fallbacks")], "percentunit", warn=0.01, bad=0.144,
              runbook="ForthwithLatencyBurnsSlowly"),
    ]),
    ("What holds it in", [
        Panel("Caps: refused and clamped", "Proposals a second that a cap had no room for, or whose amount it lowered.",
              [(rate("forthwith_caps_refused_total", P, "cap"), "{{cap}} refused"), (rate("forthwith_caps_clamped_total", P, "cap"), "{{cap}} clamped")], "reqps",
              runbook="ForthwithCapNearlyTaken"),
        Panel("Limits: refused and clamped", "Proposals a second that were beyond a limit of the guardrail, or of which a value was moved to it.",
              [(rate("forthwith_limits_refused_total", P, "limit"), "{{limit}} refused"), (rate("forthwith_limits_clamped_total", P, "limit"), "{{limit}} clamped")],
              "reqps"),
        Panel("Global caps", "What all customers' decisions took of each global cap, of all playbooks.",
              [(f"max by (instance, cap) (forthwith_cap_taken{{{I}}} / forthwith_cap_max{{{I}}})", "{{cap}} {{instance}}")], "percentunit", "bargauge",
              warn=0.75, bad=0.9, high=1, runbook="ForthwithCapNearlyTaken"),
    ]),
    ("Models and agents", [
        Panel("Small models", "Answers of small models a second, by what became of them.",
              [(rate("forthwith_model_answers_total", P, "model, word"), "{{model}} {{word}}")], "reqps", stacked=True, runbook="ForthwithModelSilent"),
        Panel("Agents", "Agents that were asked, a second, by what their word came to.",
              [(rate("forthwith_agent_answers_total", P, "agent, word"), "{{agent}} {{word}}")], "reqps", stacked=True, runbook="ForthwithAgentUnusable"),
        Panel("Money a thousand decisions", "What a thousand decisions cost, in units of the currency of the prices.",
              [(share(f"1000 * sum(rate(forthwith_agent_cost_total{{{P}}}{RATE}))", f"sum(rate(forthwith_decisions_total{{{P}}}{RATE}))"), "cost")], "none",
              decimals=4, runbook="ForthwithBudgetNearlySpent"),
    ]),
    ("How it did", [
        Panel("Right, of what was judged", "Share of a week's feedback that says that the decision was right, by tier and model.",
              [(f'sum by (tier, model) (increase(forthwith_feedback_judged_total{{{P}, correct="true"}}[7d])) / '
                f'(sum by (tier, model) (increase(forthwith_feedback_judged_total{{{P}}}[7d])) > 0)', "{{tier}} {{model}}")],
              "percentunit", warn=0.9, bad=0.75, high=1, width=12, runbook="ForthwithModelAccuracyLow"),
        Panel("Feedback", "Feedback within an hour by verdict.",
              [(f"sum by (verdict) (increase(forthwith_feedback_total{{{P}}}[1h]))", "{{verdict}}")], "none", width=12, stacked=True),
    ]),
], one_playbook=True)

DASHBOARDS = [OVERVIEW, TIERS, POOL, JOURNAL, CUSTOMERS, PLAYBOOK]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "grafana"
    folder.mkdir(exist_ok=True)
    for made in DASHBOARDS:
        name = made["uid"].removeprefix("forthwith-")
        (folder / f"{name}.json").write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
