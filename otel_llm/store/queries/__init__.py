"""The metric definitions, once, as SQLAlchemy Core over the ``spans`` table.

``call``            what one counted LLM call contributes: cost, model, duration, ... (per-row expressions)
``metrics``         the aggregates over calls, one table of name to expression
``calls``           which calls: project, time window, filters, and the values they inherit from their trace
``trace_values``    user, session and trace name of whole traces, wherever in them they were set
``dimensions``      what calls are grouped by
``window``          time windows on the storable range
``reading``         runs statements with a time limit and a row limit

``usage``, ``analytics``, ``llm_summary``, ``recent_calls``, ``daily_observations`` and ``ai_stats`` (with
``attribution``) each answer one question with them; the query API, the dashboard and the command line all ask here.
"""
