"""Help: every option has a text and a default and is in one group; `albertkit` names five commands to start with."""

import click
import pytest
from tests.cli.running import Runner

from albertkit.cli import COMMAND_GROUPS, COMMANDS, FIRST_STEPS, SUMMARIES, group
from albertkit.cli.help import GROUPS

BUILT_IN = sorted(SUMMARIES)


def options(name: str) -> list[click.Option]:
    return [param for param in COMMANDS[name].params if isinstance(param, click.Option)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_option_has_a_text_and_a_default(name: str) -> None:
    for option in options(name):
        assert option.help, option.opts
        assert option.help.endswith("."), option.opts
        assert "left out" not in option.help, option.opts
        assert option.is_flag or option.required or option.show_default, option.opts


def test_every_option_is_in_one_group() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert len(set(grouped)) == len(grouped)
    assert set(grouped) == {option.name for name in BUILT_IN for option in options(name)}


def test_groups_come_in_order_and_the_example_comes_before_them(albertkit: Runner) -> None:
    text = albertkit("finetune", "-h").out
    titles = [
        "Example:",
        "Data options:",
        "Model options:",
        "Training options:",
        "Output options:",
        "Hardware options:",
    ]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)
    assert text.index("--data ") < text.index("--text-column") < text.index("--encoding")


def test_without_a_command_the_first_steps_and_all_commands_are_shown(albertkit: Runner) -> None:
    text = albertkit("-h").out
    assert all(line in text for line in FIRST_STEPS)
    assert all(f"{title}:" in text for title in COMMAND_GROUPS)
    assert all(f"\n  {name} " in text for name in COMMANDS)
    for line in FIRST_STEPS:
        command, *arguments = line.split()[1:]
        with click.Context(group, info_name="albertkit", help_option_names=["-h", "--help"]) as parent:
            COMMANDS[command].make_context(command, arguments, parent=parent)
