"""Reads pprof profiles with the official runtime of protocol buffers.

The messages and fields are those of https://github.com/google/pprof/blob/main/proto/profile.proto, without the ones
that vmconc does not write: the compiler of .proto files is no package of ours.
"""

import gzip

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

INT64, UINT64, STRING = 3, 4, 9  # FieldDescriptorProto.Type
FIELDS = {  # message: field, number, type, and whether there may be many
    "ValueType": [("type", 1, INT64, 0), ("unit", 2, INT64, 0)],
    "Label": [("key", 1, INT64, 0), ("str", 2, INT64, 0), ("num", 3, INT64, 0)],
    "Sample": [("location_id", 1, UINT64, 1), ("value", 2, INT64, 1), ("label", 3, "Label", 1)],
    "Line": [("function_id", 1, UINT64, 0), ("line", 2, INT64, 0)],
    "Location": [("id", 1, UINT64, 0), ("mapping_id", 2, UINT64, 0), ("address", 3, UINT64, 0), ("line", 4, "Line", 1)],
    "Function": [("id", 1, UINT64, 0), ("name", 2, INT64, 0), ("system_name", 3, INT64, 0), ("filename", 4, INT64, 0)],
    "Profile": [
        ("sample_type", 1, "ValueType", 1), ("sample", 2, "Sample", 1), ("location", 4, "Location", 1),
        ("function", 5, "Function", 1), ("string_table", 6, STRING, 1), ("time_nanos", 9, INT64, 0),
        ("duration_nanos", 10, INT64, 0), ("default_sample_type", 14, INT64, 0),
    ],
}  # fmt: skip


def read_profile(path):
    """Return a profile."""
    file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="perftools.profiles", syntax="proto3")
    for name, fields in FIELDS.items():
        described = file.message_type.add(name=name)
        for field, number, kind, many in fields:
            added = described.field.add(name=field, number=number, label=3 if many else 1)
            if isinstance(kind, str):
                added.type, added.type_name = 11, f".perftools.profiles.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("perftools.profiles.Profile"))
    return kind.FromString(gzip.decompress(path.read_bytes()))
