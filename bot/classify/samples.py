"""Sixteen issue texts of our own. They set the scales of int8 and are the golden check of a bundle.

Varied on purpose: a word, prose, code, a trace, a table, other scripts, a long report.
"""

from __future__ import annotations

SAMPLES: tuple[str, ...] = (
    "crash",
    "Dark mode for the settings page",
    "How do I point the importer at a proxy?\n\nI looked through the guide and only found the flag for "
    "the downloader. Does the importer read the same variable, or is there another place to set it?",
    "Segfault when the queue is drained twice\n\n```c\nqueue_t *q = queue_new(8);\nqueue_drain(q);\n"
    "queue_drain(q); /* dies here */\n```\n\nExpected: the second call is a no-op.\nActual: SIGSEGV in "
    "`ring_pop` because `head` was freed by the first call.",
    'TypeError in scheduler\n\nTraceback (most recent call last):\n  File "app/run.py", line 88, in '
    '<module>\n    main()\n  File "app/scheduler.py", line 231, in next_slot\n    return min(slots, '
    "key=lambda s: s.due)\nTypeError: '<' not supported between instances of 'NoneType' and "
    "'datetime.datetime'",
    "Die Übersetzung fehlt auf der Anmeldeseite\n\nNach dem Wechsel auf Deutsch bleiben die "
    "Schaltflächen „Sign in“ und „Forgot password“ englisch. Firefox 131, Version 2.4.",
    "导出的 CSV 在 Excel 里显示乱码\n\n用 Excel 打开导出的文件时,中文全部变成问号。文本编辑器里正常,"
    "应该是缺少 BOM。",
    "Ошибка при обновлении до 3.0\n\nПосле обновления сервис не стартует: миграция 0042 падает, потому "
    "что столбец уже существует.",
    "Docs: the quick start still mentions `--legacy`\n\nThat flag was removed two releases ago, so the "
    "third command of the page fails for every newcomer. Happy to send a patch.",
    "Memory grows without bound while watching a folder\n\nRSS over one night, watching 40k files:\n\n"
    "| hour | MB |\n|---|---|\n| 0 | 110 |\n| 2 | 480 |\n| 4 | 930 |\n| 8 | 1,870 |\n\nStopping the "
    "watcher frees nothing. A heap profile shows that `PathEvent` objects are kept by the debouncer, "
    "one list per path, never cleared.",
    "Build fails on arm64\n\n```\ncmake -B out -DUSE_SIMD=ON\n-- Detecting CXX compiler ABI info\n"
    "error: unknown target feature 'avx2'\nninja: build stopped: subcommand failed.\n```\nThe option "
    "should be ignored, or refused with a message, where the instruction set does not exist.",
    "Request: retry uploads with exponential backoff\n\nOn a train the connection drops every few "
    "minutes and an upload of 2 GB starts from zero each time. Please resume from the last chunk, and "
    "wait longer after each failure: 1 s, 2 s, 4 s, up to a minute.",
    "Login loops forever behind a reverse proxy :(\n\nSteps:\n1. nginx terminates TLS and forwards to "
    "port 8080\n2. open https://example.test/login\n3. enter a valid user\n\nThe session cookie is set "
    "without `Secure`, the browser drops it, and we land on the login page again. Setting "
    "`X-Forwarded-Proto` changes nothing.",
    "feat(api): expose `deleted_at` in GET /v2/projects/{id}\n\nClients cannot tell an archived project "
    'from a deleted one.\n\n```json\n{"id": 17, "name": "atlas", "state": "gone", "deleted_at": null}\n'
    "```",
    "Flaky test: test_reconnect_after_timeout\n\nFails about one run in thirty on CI, never on my "
    "machine. The test sleeps 0.5 s and expects the socket to be back; under load it takes longer. It "
    "should wait for the event instead. Log: `AssertionError: assert 'closed' == 'open'`.",
    "Performance regression in search since 5.2\n\n### What happened\nA query over 200k documents took "
    "about 90 ms in 5.1 and takes 1.4 s in 5.2.1. Nothing else changed: same hardware, same index, same "
    "settings. CPU is at 100% on one core during the query, the disk is idle.\n\n### What I tried\n"
    "- rebuilt the index: no change\n- switched the tokenizer back to `simple`: 1.3 s\n- disabled "
    "highlighting: 95 ms, so it seems to be that\n\n### Profile\n```\n 61.2%  highlight.find_spans\n"
    " 22.9%  re.Pattern.finditer\n  4.0%  index.read_block\n```\n\n### Guess\n`find_spans` now runs over "
    "every match of every document before the top ten are chosen. In 5.1 it ran over the ten that were "
    "shown. The change came with the rewrite that allowed custom tags around a match, and the benchmark "
    "in the repository has highlighting off, so nobody noticed.\n\n### Environment\nLinux 6.8, Python "
    "3.12, 8 cores, 32 GB. Installed from the wheel. I can share the index privately if that helps, "
    "and I can test a branch on the same data within a day.",
)
