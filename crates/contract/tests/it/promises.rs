//! What a protobuf contract promises, each promise by itself: whoever keeps all of them understands
//! everyone who relied on them, in binary, in JSON and in generated code.
//!
//! Removing a promise breaks it, and so does changing it; adding one breaks nothing. These are the
//! rules that buf has for files (`buf breaking`, category FILE), for what the shop's contract uses.

use std::collections::BTreeMap;

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
};

/// What is promised, by what it is about.
pub(crate) type Promises = BTreeMap<String, String>;

/// What is promised by all files of the shop's own packages.
pub(crate) fn promises(set: &FileDescriptorSet) -> Promises {
    let mut promises = Promises::new();
    for file in set.file.iter().filter(|file| file.package().starts_with("shop.")) {
        of_file(&mut promises, file);
    }
    promises
}

/// What was promised and is no more, in words.
pub(crate) fn broken(released: &Promises, now: &Promises) -> Vec<String> {
    let word = |(what, promised): (&String, &String)| match now.get(what) {
        None => Some(format!("{what} is gone")),
        Some(kept) if kept != promised => Some(format!("{what} was {promised:?}, is {kept:?}")),
        Some(_) => None,
    };
    released.iter().filter_map(word).collect()
}

fn of_file(promises: &mut Promises, file: &FileDescriptorProto) {
    let package = file.package();
    promises.insert(format!("syntax of {}", file.name()), file.syntax().to_owned());
    promises.insert(format!("package of {}", file.name()), package.to_owned());
    file.message_type.iter().for_each(|message| of_message(promises, package, message));
    file.enum_type.iter().for_each(|each| of_enum(promises, package, each));
    file.service.iter().for_each(|service| of_service(promises, package, service));
}

fn of_message(promises: &mut Promises, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    promises.insert(format!("message {name}"), String::new());
    message.field.iter().for_each(|field| of_field(promises, &name, message, field));
    message.nested_type.iter().for_each(|nested| of_message(promises, &name, nested));
    message.enum_type.iter().for_each(|each| of_enum(promises, &name, each));
    let numbers = message.reserved_range.iter().flat_map(|range| range.start()..range.end());
    of_reserved(promises, &name, numbers, &message.reserved_name);
}

/// By its number, which is what it is in binary.
fn of_field(
    promises: &mut Promises,
    message: &str,
    owner: &DescriptorProto,
    field: &FieldDescriptorProto,
) {
    let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
    let oneof = oneof.and_then(|index| owner.oneof_decl.get(usize::try_from(index).ok()?));
    let place = format!("field {} of {message}", field.number());
    for (what, promised) in [
        ("name", field.name().to_owned()),
        ("name in JSON", field.json_name().to_owned()),
        ("type", format!("{:?} {}", field.r#type(), field.type_name()).trim_end().to_owned()),
        ("number of values", format!("{:?}", field.label())),
        ("presence", if field.proto3_optional() { "optional" } else { "implicit" }.to_owned()),
        ("oneof", oneof.map(|oneof| oneof.name().to_owned()).unwrap_or_default()),
    ] {
        promises.insert(format!("{what} of {place}"), promised);
    }
}

/// By its name, which is what it is in JSON; two may share a number.
fn of_enum(promises: &mut Promises, scope: &str, each: &EnumDescriptorProto) {
    let name = format!("{scope}.{}", each.name());
    promises.insert(format!("enum {name}"), String::new());
    for value in &each.value {
        let place = format!("number of {} of {name}", value.name());
        promises.insert(place, value.number().to_string());
    }
    // Of an enum, the end of a range is part of it.
    let numbers = each.reserved_range.iter().flat_map(|range| range.start()..=range.end());
    of_reserved(promises, &name, numbers, &each.reserved_name);
}

fn of_service(promises: &mut Promises, scope: &str, service: &ServiceDescriptorProto) {
    let name = format!("{scope}.{}", service.name());
    promises.insert(format!("service {name}"), String::new());
    for rpc in &service.method {
        let place = format!("of rpc {name}/{}", rpc.name());
        let stream = |streams: bool| if streams { "a stream" } else { "one" }.to_owned();
        for (what, promised) in [
            ("request", rpc.input_type().to_owned()),
            ("answer", rpc.output_type().to_owned()),
            ("number of requests", stream(rpc.client_streaming())),
            ("number of answers", stream(rpc.server_streaming())),
        ] {
            promises.insert(format!("{what} {place}"), promised);
        }
    }
}

/// What was used once and must never mean something else.
fn of_reserved(
    promises: &mut Promises,
    owner: &str,
    numbers: impl Iterator<Item = i32>,
    names: &[String],
) {
    let numbers = numbers.map(|number| number.to_string());
    for reserved in numbers.chain(names.iter().cloned()) {
        promises.insert(format!("reservation of {reserved} in {owner}"), String::new());
    }
}
