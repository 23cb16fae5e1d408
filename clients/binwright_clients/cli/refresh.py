"""``binwright catalog refresh``: today's instance types and prices from a cloud, as a catalogue file."""

from __future__ import annotations

import datetime
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from binwright.v1 import catalog_pb2

from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.files import check_writable, write_message
from binwright_clients.cli.output import output_option, stderr_console
from binwright_clients.cli.question import DEFAULT_REGIONS
from binwright_clients.cli.summary import print_summary
from binwright_clients.cli.values import DURATION

if TYPE_CHECKING:
    from binwright_optimizer.catalog.refresh import RefreshedCatalog
    from binwright_optimizer.catalog.refresh.cache import AnswerCache

_FILE = click.Path(dir_okay=False, path_type=Path)
_KEY_VARIABLE = "GOOGLE_API_KEY"


@click.command(
    epilog=examples(
        "binwright catalog refresh aws --region us-east-1 --region eu-west-1 --save aws.json",
        "binwright catalog refresh azure --region westeurope --save azure.json",
        "binwright catalog refresh gcp --api-key-file key.txt --save gcp.json",
    ),
)
@click.argument("cloud", type=click.Choice(sorted(DEFAULT_REGIONS)))
@click.option(
    "--region",
    "regions",
    metavar="REGION",
    multiple=True,
    help="Region; repeat for more.  [default: us-east-1 (aws), us-central1 (gcp), eastus (azure)]",
)
@click.option("--save", type=_FILE, required=True, metavar="FILE", help="Catalogue to write, named *.json.")
@click.option("--spot/--no-spot", default=True, show_default=True, help="Ask for spot prices too.")
@click.option("--profile", metavar="NAME", help="aws: profile of the credentials.")
@click.option(
    "--api-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"gcp: file with an API key.  [default: the variable {_KEY_VARIABLE}]",
)
@click.option("--endpoint", metavar="URL", help="azure, gcp: another address of the price interface.")
@click.option(
    "--cache-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where answers are kept.  [default: binwright in the user's cache folder]",
)
@click.option(
    "--max-age", type=DURATION, default="1h", show_default=True, help="Ask again for answers older than this."
)
@output_option()
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
def refresh(
    cloud: str,
    regions: tuple[str, ...],
    save: Path,
    spot: bool,
    profile: str | None,
    api_key_file: Path | None,
    endpoint: str | None,
    cache_dir: Path | None,
    max_age: float,
    output: str,
    quiet: bool,
) -> None:
    """Ask CLOUD what it sells and at what price; solve --catalog FILE takes the answer.

    aws needs ec2:DescribeInstanceTypes, ec2:DescribeInstanceTypeOfferings,
    ec2:DescribeSpotPriceHistory and pricing:GetProducts; azure needs nothing; gcp needs an API key.
    Shapes and zones of azure and gcp are those of the embedded catalogue.
    """
    if save.suffix != ".json":
        raise BadInput(f"--save: must be named *.json (got {str(save)!r})")
    if cloud == "aws" and endpoint is not None:
        raise BadInput("--endpoint: is for azure and gcp; aws takes the variable AWS_ENDPOINT_URL")
    check_writable(save)
    from binwright_optimizer.catalog.refresh.cache import AnswerCache

    cache = AnswerCache((cache_dir or _default_cache()) / _asker(cloud, profile), max_age, time.time)
    refreshed = _refreshed(
        cloud, regions or (DEFAULT_REGIONS[cloud],), spot, profile, api_key_file, endpoint, cache, quiet
    )
    write_message(save, _as_message(refreshed), with_defaults=False)
    types = refreshed.catalog.instance_types
    sources = {offering.source for sold in types for offering in sold.offerings}
    print_summary(
        {
            "file": str(save),
            "catalog": refreshed.catalog.name,
            "instance_types": len(types),
            "offerings": sum(len(sold.offerings) for sold in types),
            "price_sources": sorted(f"{source.name}, {source.date}" for source in sources),
            "notes": list(refreshed.notes),
        },
        output,
    )


def _refreshed(
    cloud: str,
    regions: tuple[str, ...],
    spot: bool,
    profile: str | None,
    api_key_file: Path | None,
    endpoint: str | None,
    cache: AnswerCache,
    quiet: bool,
) -> RefreshedCatalog:
    console = stderr_console()

    def say(step: str) -> None:
        if not quiet:
            console.print(step, markup=False)

    now = datetime.datetime.now(datetime.UTC)
    if cloud == "aws":
        from binwright_optimizer.catalog.refresh.aws import refresh_aws
        from binwright_optimizer.catalog.refresh.aws_questions import open_session

        session = open_session(profile)
        return refresh_aws(session, regions, now=now, cache=cache, with_spot=spot, on_step=say)
    from binwright_optimizer.catalog.refresh.json_client import JsonClient

    if cloud == "azure":
        from binwright_optimizer.catalog.refresh import azure

        return azure.refresh_azure(
            JsonClient(),
            regions,
            now=now,
            cache=cache,
            endpoint=endpoint or azure.ENDPOINT,
            with_spot=spot,
            on_step=say,
        )
    from binwright_optimizer.catalog.refresh import gcp

    return gcp.refresh_gcp(
        JsonClient(),
        regions,
        api_key=_api_key(api_key_file),
        now=now,
        cache=cache,
        endpoint=endpoint or gcp.ENDPOINT,
        with_spot=spot,
        on_step=say,
    )


def _api_key(file: Path | None) -> str:
    key = file.read_text().strip() if file is not None else os.environ.get(_KEY_VARIABLE, "").strip()
    if not key:
        raise BadInput(f"--api-key-file: gcp needs an API key, in this file or in {_KEY_VARIABLE}")
    return key


def _asker(cloud: str, profile: str | None) -> str:
    """Folder of whoever asks: accounts have zones of their own, and endpoints prices."""
    if cloud != "aws":
        return cloud
    names = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL")
    who = " ".join([profile or "", *(os.environ.get(name, "") for name in names)])
    return f"aws-{hashlib.sha256(who.encode()).hexdigest()[:12]}"


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "binwright"


def _as_message(refreshed: RefreshedCatalog) -> catalog_pb2.InlineCatalog:
    # The one place where domain and messages meet is the server's.
    from binwright_server.convert.catalogs import instance_type_to_message

    catalog = refreshed.catalog
    return catalog_pb2.InlineCatalog(
        name=catalog.name,
        instance_types=[instance_type_to_message(sold, sold.offerings) for sold in catalog.instance_types],
    )
