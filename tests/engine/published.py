"""Field names and types as others have published them, for checking what we write in their formats.

ECS: the field reference of Elastic Common Schema 8.17 (of each field set that a host's alert may use). OCSF: the
attributes of class detection_finding and of its objects in version 1.5.0 of the Open Cybersecurity Schema Framework;
``!`` marks the required ones, ``[]`` lists.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

_ECS_TABLE: Final = """
date      @timestamp event.created event.end event.ingested event.start file.ctime file.mtime process.end process.start
          process.parent.end process.parent.start
text      message
labels    labels
keyword   ecs.version event.action event.code event.dataset event.hash event.id event.kind event.module event.original
          event.outcome event.provider event.reason event.reference event.timezone event.url
          rule.category rule.description rule.id rule.license rule.name rule.reference rule.ruleset rule.uuid
          rule.version threat.framework
          host.architecture host.boot.id host.hostname host.id host.name host.os.family host.os.full host.os.kernel
          host.os.name host.os.platform host.os.type host.os.version host.pid_ns_ino
          observer.hostname observer.name observer.product observer.type observer.vendor observer.version
          process.command_line process.entity_id process.executable process.name process.title process.thread.name
          process.working_directory process.user.id process.user.name process.real_user.id
          process.parent.command_line process.parent.entity_id process.parent.executable process.parent.name
          process.parent.title process.parent.working_directory process.parent.user.id process.parent.user.name
          user.id user.name user.effective.id user.effective.name
          file.device file.directory file.extension file.gid file.group file.inode file.mode file.name file.owner
          file.path file.target_path file.type file.uid
          destination.address destination.domain source.address source.domain server.address server.domain
          network.direction network.protocol network.transport network.type
          dns.question.class dns.question.name dns.question.type container.id container.name container.runtime
ip        destination.ip source.ip server.ip
long      event.sequence event.severity process.pid process.args_count process.exit_code process.thread.id process.vpid
          process.parent.pid process.parent.args_count process.parent.exit_code process.parent.thread.id
          destination.port source.port server.port
float     event.risk_score event.risk_score_norm
keyword[] event.category event.type process.args process.parent.args related.hosts related.user tags
          threat.tactic.id threat.tactic.name threat.technique.id threat.technique.name threat.technique.reference
          threat.technique.subtechnique.id threat.technique.subtechnique.name
"""
ECS: Final[dict[str, str]] = {
    name: row.split()[0]
    for row in re.split(r"\n(?=\S)", _ECS_TABLE.strip())
    for name in row.split()[1:]
}  # fmt: skip
# The values that the schema allows for event.kind, event.outcome, and event.type of each event.category.
ECS_KINDS: Final = {"alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"}
ECS_TYPES: Final = {
    "intrusion_detection": {"allowed", "denied", "info"},
    "process": {"access", "change", "end", "info", "start"},
    "file": {"access", "change", "creation", "deletion", "info"},
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
    "driver": {"change", "end", "info", "start"},
    "host": {"access", "change", "end", "info", "start"},
}

_PROCESS: Final = (
    "cmd_line:str cpid:str created_time:time name:str path:str pid:int uid:str file:file "
    "integrity:str integrity_id:int lineage:str[] parent_process:process session:session terminated_time:time tid:int "
    "user:user working_directory:str"
)
_ENDPOINT: Final = (
    "domain:str hostname:str instance_uid:str interface_name:str interface_uid:str ip:ip location:object mac:str "
    "name:str os:os owner:user port:port svc_name:str type:str type_id:int uid:str zone:str container:container"
)
_OCSF_TABLE: Final = {
    "detection_finding": "activity_id:int! activity_name:str category_name:str category_uid:int! class_name:str "
    "class_uid:int! comment:str confidence:str confidence_id:int confidence_score:int count:int device:device "
    "duration:int end_time:time enrichments:object[] evidences:evidences[] finding_info:finding_info! impact:str "
    "impact_id:int impact_score:int is_alert:bool malware:object[] message:str metadata:metadata! observables:object[] "
    "raw_data:str raw_data_size:int remediation:object resources:object[] risk_details:str risk_level:str "
    "risk_level_id:int risk_score:int severity:str severity_id:int! start_time:time status:str status_code:str "
    "status_detail:str status_id:int time:time! timezone_offset:int type_name:str type_uid:int! unmapped:object "
    "vulnerabilities:object[]",
    "finding_info": "analytic:analytic attacks:attack[] created_time:time data_sources:str[] desc:str "
    "first_seen_time:time last_seen_time:time modified_time:time product_uid:str related_events_count:int src_url:str "
    "title:str types:str[] uid:str! uid_alt:str",
    "analytic": "algorithm:str category:str desc:str name:str type:str type_id:int! uid:str version:str",
    "attack": "tactic:object technique:technique sub_technique:technique version:str",
    "technique": "name:str src_url:str uid:str",
    "evidences": "actor:object connection_info:object container:container data:json device:device "
    "dst_endpoint:endpoint file:file name:str process:process query:dns_query resources:object[] src_endpoint:endpoint "
    "uid:str url:object user:user verdict:str verdict_id:int",
    "process": _PROCESS,
    "file": "attributes:int created_time:time creator:user desc:str ext:str hashes:object[] is_deleted:bool "
    "is_system:bool mime_type:str modified_time:time name:str! owner:user parent_folder:str path:str size:int type:str "
    "type_id:int! uid:str version:str",
    "user": "domain:str full_name:str groups:object[] name:str type:str type_id:int uid:str uid_alt:str",
    "session": "count:int created_time:time is_remote:bool issuer:str terminal:str uid:str uid_alt:str uuid:str",
    "endpoint": _ENDPOINT,
    "container": "hash:object image:object name:str network_driver:str orchestrator:str pod_uuid:str runtime:str "
    "size:int tag:str uid:str",
    "dns_query": "class:str hostname:str! opcode:str opcode_id:int packet_uid:int type:str",
    "device": "boot_time:time boot_uid:str desc:str domain:str hostname:str ip:ip name:str os:os region:str type:str "
    "type_id:int! uid:str uid_alt:str vendor_name:str",
    "os": "build:str cpe_name:str cpu_bits:int edition:str kernel_release:str lang:str name:str! type:str type_id:int! "
    "version:str",
    "metadata": "correlation_uid:str event_code:str labels:str[] log_name:str log_provider:str log_version:str "
    "logged_time:time original_time:str processed_time:time product:product! profiles:str[] sequence:int "
    "tenant_uid:str uid:str version:str!",
    "product": "cpe_name:str feature:object lang:str name:str path:str uid:str url_string:str vendor_name:str "
    "version:str",
}  # fmt: skip
OCSF: Final = {
    name: {
        field.partition(":")[0]: field.partition(":")[2]
        for field in fields.split()
    }
    for name, fields in _OCSF_TABLE.items()
}  # fmt: skip
_SIMPLE: Final[dict[str, Any]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: type(value) is int,
    "bool": lambda value: isinstance(value, bool),
    # Milliseconds: of this century.
    "time": lambda value: type(value) is int and 946_684_800_000 < value < 4_102_444_800_000,
    "ip": lambda value: bool(ipaddress.ip_address(value)),
    "port": lambda value: type(value) is int and 0 <= value <= 65_535,
    "object": lambda value: isinstance(value, dict),
    "json": lambda value: value is not None,
}


def flat(value: dict[str, Any], stop: frozenset[str] = frozenset({"labels"}), path: str = "") -> dict[str, Any]:
    """The leaves by dotted name."""
    found: dict[str, Any] = {}
    for name, one in value.items():
        dotted = f"{path}.{name}" if path else name
        found |= flat(one, stop, dotted) if isinstance(one, dict) and dotted not in stop else {dotted: one}
    return found


def ecs_faults(document: dict[str, Any]) -> list[str]:
    """What of this document is not as published."""
    kinds: dict[str, Any] = {
        "date": lambda v: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", v),
        "text": lambda v: isinstance(v, str),
        "keyword": lambda v: isinstance(v, str),
        "keyword[]": lambda v: isinstance(v, list) and all(isinstance(one, str) for one in v),
        "ip": _SIMPLE["ip"],
        "long": _SIMPLE["int"],
        "float": lambda v: isinstance(v, float),
        "labels": lambda v: all(isinstance(one, str) for one in v.values()),
    }
    return [
        f"{name}: {value!r}"
        for name, value in flat(document).items()
        if name not in ECS or not kinds[ECS[name]](value)
    ]  # fmt: skip


def ocsf_faults(value: Any, shape: str, path: str = "") -> list[str]:
    """What of this value is not as published for its object."""
    fields = OCSF[shape]
    faults = [f"{path}.{name} is missing" for name, kind in fields.items() if kind.endswith("!") and name not in value]
    for name, one in value.items():
        kind, at = fields.get(name, "").rstrip("!"), f"{path}.{name}"
        many, kind = kind.endswith("[]"), kind.removesuffix("[]")
        if many and not isinstance(one, list):
            faults.append(f"{at} is no list")
            continue
        for item in one if many else [one]:
            if kind in OCSF:
                faults += ocsf_faults(item, kind, at)
            elif kind not in _SIMPLE or not _SIMPLE[kind](item):
                faults.append(f"{at}: {item!r}")
    return faults
