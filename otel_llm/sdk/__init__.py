"""What an instrumented app uses: exporters, one-line set-up, context helpers, time to first token.

Telemetry never breaks or slows the app: nothing in here raises into the app once it is set up, imports a server or a
database before it is needed, or holds the app up at its end for more than a few seconds.
"""
