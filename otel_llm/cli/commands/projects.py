"""``otel-llm projects``: create, list and delete projects."""

import click

from otel_llm.cli.store_options import StoreOptions, store_options


@click.group()
def command() -> None:
    """Create, list and delete projects.

    A project separates data: its keys see its spans only. "default" is always there and holds what arrived before the
    first key. Whoever holds the database manages all projects; an admin key sees its own.
    """


@command.command()
@click.argument("name")
@store_options
def create(store: StoreOptions, name: str) -> None:
    """Create a project (otel-llm keys create --project NAME does so too)."""
    from otel_llm.cli.key_desk import key_desk

    with key_desk(store, create=True) as desk:
        project = desk.create_project(name)
    click.echo(f"Created project {project['name']}. Next: otel-llm keys create --project {project['name']}")


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Deleted projects too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def list_projects(store: StoreOptions, every: bool, as_json: bool) -> None:
    """List projects."""
    from otel_llm.cli.key_desk import key_desk
    from otel_llm.cli.tables import print_json, print_table

    with key_desk(store) as desk:
        found = [project for project in desk.list_projects() if every or project["deleted"] is None]
    if as_json:
        print_json(found)
        return
    print_table(found, [("name", "PROJECT"), ("created", "CREATED"), ("deleted", "DELETED")], empty="No projects.")


@command.command()
@click.argument("name")
@click.option("--purge", is_flag=True, help="Delete everything it received from the store too; this cannot be undone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_options
def delete(store: StoreOptions, name: str, purge: bool, yes: bool) -> None:
    """Close a project: its keys open nothing any more. Its spans stay unless --purge is given."""
    from otel_llm.cli.key_desk import key_desk

    if not yes:
        click.confirm(f"Delete project {name}" + (" and all its spans" if purge else "") + "?", abort=True)
    with key_desk(store) as desk:
        project = desk.delete_project(name, purge=purge)
    spans = project.get("spans_deleted")
    click.echo(f"Deleted project {name}" + (f" and {spans:,} spans." if spans is not None else "; its spans are kept."))
