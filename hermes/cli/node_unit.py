"""How systemd keeps a node: the text of a user unit."""

from hermes.errors import Usage

_UNIT = """\
# hermes node unit > ~/.config/systemd/user/hermes-node.service
# systemctl --user daemon-reload && systemctl --user enable --now hermes-node
# loginctl enable-linger keeps it running while you are logged out.
[Unit]
Description=Hermes node
Documentation=file:docs/mesh.md
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=exec
ExecStart="{command}" node
{home}Restart=on-failure
RestartSec=2
# The node ends its children itself, in order; what is left after that is killed.
KillMode=mixed
TimeoutStopSec=10
UMask=0077
NoNewPrivileges=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
LimitCORE=0
LimitNOFILE=16384
# Not set: RestrictNamespaces and ProtectHome (commands run in sandboxes of their own),
# PrivateTmp (a project may lie in /tmp).

[Install]
WantedBy=default.target
"""


def unit(command: str, home: str) -> str:
    """The unit for this program and, where it is not the usual one, this home."""
    for value in (command, home):
        if set(value) & set('\n"\\%$'):
            raise Usage(f"{value!r} cannot stand in a systemd unit", "use a plainer path")
    told = f'Environment="HERMES_V2_HOME={home}"\n' if home else ""
    return _UNIT.format(command=command, home=told)
