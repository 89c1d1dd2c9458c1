"""Labels that tell where an issue stands, not what it is about: nobody can read them off the text
as filed, so the bot neither learns nor sets them unless the rules bring one back.

Patterns of `bot.core.patterns`, in plain spelling (`needs-*` covers `Needs Triage` too).
"""

from __future__ import annotations

TRIAGE = (
    "triage*", "*triage", "*-triaged", "untriaged", "needs*", "*:needs*", "*/needs*",
    "investigate", "need-*", "*-needed", "*-required", "needinfo", "more-info*", "awaiting*",
    "waiting*", "pending*", "*-pending", "no-response", "status:*", "status/*", "status-needs*",
    "[status]*", "stat:*", "state:*", "state/*", "s-*", "lifecycle/*", "lifecycle:*",
    "disposition/*", "stage:*", "stage/*",
)  # fmt: skip
"""Where the conversation stands."""

OUTCOME = (
    "resolution:*", "resolution/*", "stale*", "*-stale", "no-*-activity", "inactive", "rotten",
    "abandoned", "frozen*", "wontfix", "wont-fix", "won't-fix", "won't-do", "duplicate*",
    "*-duplicate", "invalid", "spam", "off-topic", "not-a-bug", "works-for-me", "worksforme",
    "works-as-intended", "working-as-intended", "as-designed", "by-design", "out-of-scope",
    "not-planned", "cannot-reproduce", "can't-reproduce", "cant-reproduce", "not-reproducible",
    "unable-to-reproduce", "rejected", "declined", "answered", "resolved*", "closed*", "to-close",
    "*-close", "done", "completed", "fixed", "fixed-in*", "fixed-by*", "fixpending", "fix-pending",
    "fix-available", "fix-in-*", "*-done", "*-todo", "merged", "released", "*-released",
    "unreleased", "locked", "outdated", "obsolete", "superseded*", "mitigated", "verified",
    "verification-found", "*-verified", "confirmed", "*-confirmed", "confirmation-pending",
    "unconfirmed", "reproduced", "has-workaround", "accepted", "*-accepted", "approved",
    "*-approved", "*-requested", "*commentperiod", "*-issue-linked",
)  # fmt: skip
"""How it ended, or what a maintainer found out later."""

PLAN = (
    "priority*", "*-priority", "[priority]*", "prio:*", "prio/*", "prio-*", "p-*", "p0", "p1",
    "p2", "p3", "p4", "p5", "severity*", "sev[0-9]*", "sev-*", "affected-*", "important",
    "critical", "urgent", "soon", "blocker", "*-blocker", "blocked*", "hold", "*-hold", "*/hold",
    "backlog", "*-backlog", "milestone*", "roadmap", "sprint*", "in-progress", "wip",
    "work-in-progress", "ready", "ready-*", "in-review", "under-review", "under-discussion",
    "under-investigation", "investigating", "todo", "actionable", "candidate", "*-candidate",
    "on-testplan", "on-release-notes", "early-in-cycle", "okay-after-*", "version/*", "version:*",
    "*[0-9].[0-9]*", "*[0-9].x*",
)  # fmt: skip
"""When it will be worked on: a human judgement, or the calendar's."""

EFFORT = (
    "good-first-*", "good-*-issue", "first-timers*", "beginner*", "starter*", "help-wanted*",
    "*/help-wanted", "hacktoberfest*", "hackathon*", "up-for-grabs", "contribution*-welcome",
    "pr-welcome*", "prs-welcome*", "pull-request-welcome*", "mentor*", "easy", "moderate", "hard",
    "easy-*", "e-easy", "e-medium", "e-hard", "e-intermediate", "e-starter", "e-quick-win",
    "e-mentor", "e-help-wanted", "low-hanging*", "quick-win*", "difficulty*", "effort*",
    "complexity*", "size/*", "size:*", "size-*", "cost:*", "cost/*", "estimate*", "bounty*",
)  # fmt: skip
"""Who might do it, and at what expense."""

PULL_REQUEST = (
    "do-not-merge*", "merge-this*", "merge-when*", "merge-ready", "merge-conflict*", "lgtm",
    "ok-to-test", "automerge*", "backport*", "*/backport*", "to-backport", "cherry*", "cla",
    "cla:*", "cla-*", "cncf-cla*", "dco*", "dependencies", "dependabot*", "renovate*",
    "automated-pr*", "release-note*", "changelog*", "skip-changelog", "skip-ci", "skip-news",
    "no-changelog", "tide/*", "first-time-contributor", "new-contributor",
)  # fmt: skip
"""Set on pull requests, mostly by other bots."""

DEFAULT_PROCESS_LABELS: tuple[str, ...] = (*TRIAGE, *OUTCOME, *PLAN, *EFFORT, *PULL_REQUEST)
