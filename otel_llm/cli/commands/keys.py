"""``otel-llm keys``: create, list, revoke and rotate API keys."""

import click

from otel_llm.cli.store_options import StoreOptions, store_options


@click.group()
def command() -> None:
    """Create, list, revoke and rotate API keys.

    A key belongs to one project and sees nothing else. It has a public id and a secret; the secret is shown once. Send it
    as "Authorization: Bearer SECRET", as Basic PUBLIC:SECRET, or as "x-api-key: SECRET".

    On PostgreSQL and ClickHouse, and on a DuckDB file that no server has open, the database itself is changed. A running
    server that owns the file is asked instead, through a socket beside the file: who may use the file manages every project
    and needs no key. From elsewhere (--server) an admin key (--api-key) manages its own project.
    """


@command.command()
@click.option("--project", required=True, metavar="NAME", help="Project of the key; created when it is new.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["ingest", "read", "admin"]),
    help="What the key may do; repeat for several. Default: ingest and read. "
    "ingest sends spans, read asks, admin does both and manages the keys of its own project.",
)
@click.option("--expires", metavar="WHEN", help="Expiry: a duration from now (90d) or a time (2027-01-31T00:00:00Z).")
@store_options
def create(store: StoreOptions, project: str, scopes: tuple[str, ...], expires: str | None) -> None:
    """Create a key and print it as one JSON object.

    \b
    Examples:
      otel-llm keys create --project shop
      otel-llm keys create --project shop --scope ingest --expires 90d
      otel-llm keys create --project shop --scope admin
    """
    import json

    from otel_llm.cli.key_desk import key_desk

    with key_desk(store, create=True) as desk:
        first = not desk.list_keys()
        click.echo(json.dumps(desk.create_key(project, scopes or ("ingest", "read"), expires)))
    if first:
        click.echo(
            "This is the first key: from now on every server of this store asks everybody for one. "
            + ("" if project == "default" else "What came before is in the project default, which only keys of default see."),
            err=True,
        )


@command.command("list")
@click.option("--project", metavar="NAME", help="Only keys of this project.")
@click.option("--all", "every", is_flag=True, help="Revoked and expired keys too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def list_keys(store: StoreOptions, project: str | None, every: bool, as_json: bool) -> None:
    """List keys; secrets are not stored and cannot be shown."""
    from otel_llm.cli.key_desk import key_desk
    from otel_llm.cli.tables import print_json, print_table

    with key_desk(store) as desk:
        found = [key for key in desk.list_keys() if project in (None, key["project"]) and (every or key["status"] == "active")]
    if as_json:
        print_json(found)
        return
    columns = [
        ("public_key", "PUBLIC KEY"),
        ("project", "PROJECT"),
        ("scopes", "SCOPES"),
        ("status", "STATUS"),
        ("created", "CREATED"),
        ("expires", "EXPIRES"),
        ("last_used", "LAST USED"),
    ]
    print_table(found, columns, empty="No keys. Create one with: otel-llm keys create --project NAME")


@command.command()
@click.argument("public_key")
@store_options
def revoke(store: StoreOptions, public_key: str) -> None:
    """End a key for good; running servers refuse it within seconds."""
    from otel_llm.cli.key_desk import key_desk

    with key_desk(store) as desk:
        key = desk.revoke_key(public_key)
    click.echo(f"Revoked {key['public_key']} of project {key['project']}.")


@command.command()
@click.argument("public_key")
@click.option("--grace", default="0s", show_default=True, metavar="TIME", help="How long the old key stays good, e.g. 1h.")
@store_options
def rotate(store: StoreOptions, public_key: str, grace: str) -> None:
    """Replace a key by a new one with the same project, scopes and expiry; prints the new one as JSON.

    \b
    Example, giving the senders an hour to change over:
      otel-llm keys rotate pk-otel-0123456789abcdef01234567 --grace 1h
    """
    import json

    from otel_llm.cli.key_desk import key_desk
    from otel_llm.quantities import seconds

    try:
        grace_s = seconds(grace)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--grace") from None
    with key_desk(store) as desk:
        click.echo(json.dumps(desk.rotate_key(public_key, grace_s)))
