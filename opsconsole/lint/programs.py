"""Programs and their verbs that change something, as data."""

from __future__ import annotations

from collections.abc import Mapping

Verbs = Mapping[str, "Verbs | bool"]
"""Verb -> True when it changes something, or the verbs below it."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _all(words: str) -> dict[str, Verbs | bool]:
    return dict.fromkeys(words.split(), True)


ALWAYS = _set(
    "rm rmdir unlink shred truncate dd mv chmod chown kill pkill killall reboot shutdown halt poweroff mkfs "
    "wipefs iptables nft crontab useradd userdel passwd"
)
"""Programs that change something whatever they are told."""

SHELLS = _set("sh bash dash zsh ash ksh")
SQL_SHELLS = _set("psql mysql mariadb sqlite3 clickhouse-client")
EXECUTING = _set("kubectl oc docker podman nerdctl docker-compose")
"""Programs whose `exec` and `run` run another one."""

WRAPPERS = _set(
    "sudo doas env nice ionice nohup timeout watch xargs exec command builtin stdbuf setsid strace chroot time"
)
"""Programs that run the one that follows."""

_KUBECTL: Verbs = {
    **_all("delete scale apply patch edit replace create drain cordon uncordon taint label annotate set"),
    **_all("autoscale expose run debug cp"),
    "rollout": _all("restart undo pause resume"),
}
_CONTAINERS: Verbs = {
    **_all("restart stop kill rm rmi start down up pause unpause update run create prune rename cp load"),
    **dict.fromkeys(("container", "image", "volume", "network"), _all("rm prune create kill stop restart start")),
    "system": _all("prune"),
    "service": _all("update scale rm rollback create"),
    "stack": _all("deploy rm"),
    "compose": _all("restart stop kill rm start down up pause unpause run create scale"),
}
SERVICES: Verbs = _all(
    "start stop restart reload try-restart reload-or-restart kill disable enable mask unmask isolate edit "
    "daemon-reload reset-failed set-property reboot poweroff"
)
_REDIS: Verbs = {
    **_all("del unlink flushall flushdb set setex getset getdel expire persist rename move migrate restore"),
    **_all("hdel hset lpop rpop lpush rpush ltrim lrem spop srem zrem incr decr swapdb failover replicaof"),
    **_all("eval save bgsave bgrewriteaof shutdown"),
    "config": _all("set rewrite resetstat"),
    "client": _all("kill pause"),
    "script": _all("flush kill"),
    "slowlog": _all("reset"),
    "memory": _all("purge"),
}
_PACKAGES: Verbs = _all("install remove purge upgrade")

VERBS: Mapping[str, Verbs] = {
    "kubectl": _KUBECTL,
    "oc": _KUBECTL,
    "docker": _CONTAINERS,
    "podman": _CONTAINERS,
    "nerdctl": _CONTAINERS,
    "docker-compose": _CONTAINERS,
    "systemctl": SERVICES,
    "redis-cli": _REDIS,
    "valkey-cli": _REDIS,
    "helm": _all("install upgrade rollback uninstall delete"),
    "git": _all("push reset revert checkout switch clean merge rebase stash"),
    "terraform": _all("apply destroy import taint"),
    "amtool": {"silence": _all("add expire update import")},
    "supervisorctl": _all("start stop restart reload update shutdown"),
    "alembic": _all("upgrade downgrade stamp"),
    "pg_ctl": _all("start stop restart reload promote"),
    "rabbitmqctl": _all("purge_queue delete_queue stop_app stop reset force_reset"),
    "apt": _PACKAGES,
    "apt-get": _PACKAGES,
    "dnf": _PACKAGES,
    "yum": _PACKAGES,
}

_OF_KUBECTL = _set(
    "-n --namespace --context --kube-context --cluster --user --kubeconfig -s --server --as --token -v"
)
_OF_CONTAINERS = _set(
    "-H --host --context -c --config -l -f --file -p --project-name --profile --env-file --project-directory"
)
_OF_REDIS = _set("-h -p -a -n -u -s --user --pass -r -i -t")

VALUED: Mapping[str, frozenset[str]] = {
    "kubectl": _OF_KUBECTL,
    "oc": _OF_KUBECTL,
    "helm": _OF_KUBECTL,
    "docker": _OF_CONTAINERS,
    "podman": _OF_CONTAINERS,
    "nerdctl": _OF_CONTAINERS,
    "docker-compose": _OF_CONTAINERS,
    "systemctl": _set("-H --host -M --machine -t --type -n -p --state"),
    "redis-cli": _OF_REDIS,
    "valkey-cli": _OF_REDIS,
    "git": _set("-C -c"),
    "amtool": _set("--alertmanager.url"),
}
"""Options before the verb that take the next word as their value."""
