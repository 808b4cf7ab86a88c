"""gRPC without generated code: messages and methods as the node's reflection describes them."""

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2 as wire
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


class Node:
    """A node's gRPC address; the messages are those of v1alpha reflection."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def message(self, name, **fields):
        """A message of a type by its full name."""
        kind = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))
        return kind(**fields)

    def method(self, path):
        """A unary or streaming method `/package.Service/Method` as a function."""
        service, name = path.strip("/").split("/")
        found = self.pool.FindServiceByName(service).FindMethodByName(name)
        answer = message_factory.GetMessageClass(found.output_type)
        kind = self.channel.unary_stream if found.server_streaming else self.channel.unary_unary
        return kind(path, type(self.message(found.input_type.full_name)).SerializeToString, answer.FromString)

    def call(self, path, *, metadata=(), **fields):
        """Calls a method with a request of these fields; the answer alone."""
        return self.answer(path, metadata=metadata, **fields)[0]

    def answer(self, path, *, metadata=(), **fields):
        """The same; the answer and the headers that came before it."""
        service, name = path.strip("/").split("/")
        kind = self.pool.FindServiceByName(service).FindMethodByName(name).input_type.full_name
        request = self.message(kind, **fields)
        answer, call = self.method(path).with_call(request, metadata=metadata, timeout=10)
        return answer, dict(call.initial_metadata())

    def reflect(self, version, **question):
        """One question to the reflection service of a version, `v1` or `v1alpha`."""
        path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        ask = self.channel.stream_stream(
            path, wire.ServerReflectionRequest.SerializeToString, wire.ServerReflectionResponse.FromString
        )
        return next(ask(iter([wire.ServerReflectionRequest(**question)]), timeout=10))


def files(response):
    """The file descriptors of a reflection answer."""
    return [
        descriptor_pb2.FileDescriptorProto.FromString(one)
        for one in response.file_descriptor_response.file_descriptor_proto
    ]
