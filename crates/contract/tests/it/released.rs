//! The contract as it is, held against the one that was released last; and each rule of that,
//! tried by breaking it.

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, MethodDescriptorProto, OneofDescriptorProto, SourceCodeInfo,
    descriptor_proto::ReservedRange,
    field_descriptor_proto::{Label, Type},
};

use crate::promises::{broken, promises};

const RELEASED: &[u8] = include_bytes!("../../../../proto/released.binpb");

fn released() -> FileDescriptorSet {
    FileDescriptorSet::decode(RELEASED).unwrap()
}

#[test]
fn nothing_that_was_released_is_broken() {
    let now = FileDescriptorSet::decode(contract::FILE_DESCRIPTOR_SET).unwrap();
    let (released, now) = (promises(&released()), promises(&now));
    assert!(released.len() > 100, "only {} promises were released", released.len());
    let broken = broken(&released, &now);
    assert!(
        broken.is_empty(),
        "this breaks whoever relies on the contract: {broken:#?}\n\
         Add instead, or make a new package; if it has to be: cargo run -p contract --example release"
    );
}

type Change = fn(&mut FileDescriptorSet);

/// What a change breaks.
fn breaks(change: Change) -> Vec<String> {
    let (before, mut after) = (with_everything(), with_everything());
    change(&mut after);
    broken(&promises(&before), &promises(&after))
}

/// What was released, and what it does not use yet.
fn with_everything() -> FileDescriptorSet {
    let mut set = released();
    let order = message(&mut set, "Order");
    order.oneof_decl.push(OneofDescriptorProto { name: Some("paid_by".into()), options: None });
    for (number, name) in [(90, "card"), (91, "voucher")] {
        let oneof_index = Some(0);
        order.field.push(FieldDescriptorProto { oneof_index, ..text(number, name) });
    }
    order.reserved_name.push("total".into());
    order.reserved_range.push(ReservedRange { start: Some(60), end: Some(63) });
    order.nested_type.push(DescriptorProto { name: Some("Line".into()), ..Default::default() });
    set
}

#[test]
fn what_breaks_someone_is_found() {
    let cases: [(&str, Change); 25] = [
        ("message shop.v1.Product is gone", |set| {
            shop(set).message_type.retain(|message| message.name() != "Product");
        }),
        ("message shop.v1.Order.Line is gone", |set| message(set, "Order").nested_type.clear()),
        ("message shop.v1.Product is gone", |set| {
            message(set, "Product").name = Some("Article".into());
        }),
        ("name of field 2 of shop.v1.Order is gone", |set| {
            message(set, "Order").field.retain(|field| field.number() != 2);
        }),
        ("name of field 2 of shop.v1.Order is gone", |set| field(set, 2).number = Some(92)),
        ("name of field 2 of shop.v1.Order was \"customer_id\", is \"customer\"", |set| {
            field(set, 2).name = Some("customer".into());
        }),
        ("name in JSON of field 2 of shop.v1.Order was \"customerId\"", |set| {
            field(set, 2).json_name = Some("customer".into());
        }),
        ("type of field 5 of shop.v1.Order was \"Int64\", is \"Int32\"", |set| {
            field(set, 5).set_type(Type::Int32);
        }),
        ("type of field 3 of shop.v1.Order was \"Enum .shop.v1.OrderStatus\"", |set| {
            field(set, 3).type_name = Some(".shop.v1.FailureReason".into());
        }),
        ("number of values of field 2 of shop.v1.Order was \"Optional\"", |set| {
            field(set, 2).set_label(Label::Repeated);
        }),
        ("presence of field 2 of shop.v1.Order was \"implicit\", is \"optional\"", |set| {
            field(set, 2).proto3_optional = Some(true);
        }),
        ("oneof of field 90 of shop.v1.Order was \"paid_by\", is \"\"", |set| {
            field(set, 90).oneof_index = None;
        }),
        ("oneof of field 2 of shop.v1.Order was \"\", is \"paid_by\"", |set| {
            field(set, 2).oneof_index = Some(0);
        }),
        ("reservation of total in shop.v1.Order is gone", |set| {
            message(set, "Order").reserved_name.clear();
        }),
        ("reservation of 62 in shop.v1.Order is gone", |set| {
            message(set, "Order").reserved_range[0].end = Some(62);
        }),
        ("enum shop.v1.FailureReason is gone", |set| {
            shop(set).enum_type.retain(|each| each.name() != "FailureReason");
        }),
        ("number of ORDER_STATUS_PLACED of shop.v1.OrderStatus is gone", |set| {
            values(set).retain(|value| value.number() != 1);
        }),
        ("number of ORDER_STATUS_PLACED of shop.v1.OrderStatus is gone", |set| {
            values(set)[1].name = Some("ORDER_STATUS_PAID".into());
        }),
        ("number of ORDER_STATUS_PLACED of shop.v1.OrderStatus was \"1\", is \"9\"", |set| {
            values(set)[1].number = Some(9);
        }),
        ("service shop.v1.Orders is gone", |set| shop(set).service.clear()),
        ("request of rpc shop.v1.Orders/PlaceOrder is gone", |set| rpcs(set).clear()),
        ("request of rpc shop.v1.Orders/PlaceOrder was", |set| {
            rpcs(set)[0].input_type = Some(".shop.v1.Order".into());
        }),
        ("answer of rpc shop.v1.Orders/PlaceOrder was", |set| {
            rpcs(set)[0].output_type = Some(".shop.v1.Order".into());
        }),
        (
            "number of answers of rpc shop.v1.Orders/PlaceOrder was \"one\", is \"a stream\"",
            |set| {
                rpcs(set)[0].server_streaming = Some(true);
            },
        ),
        ("package of shop/v1/orders.proto was \"shop.v1\", is \"shop.v2\"", |set| {
            shop(set).package = Some("shop.v2".into());
        }),
    ];
    for (complaint, change) in cases {
        let broken = breaks(change);
        assert!(
            broken.iter().any(|found| found.starts_with(complaint)),
            "{complaint}: {broken:#?}"
        );
    }
    assert!(!breaks(|set| rpcs(set)[0].client_streaming = Some(true)).is_empty());
    assert!(!breaks(|set| shop(set).syntax = Some("proto2".into())).is_empty());
}

#[test]
fn what_is_added_breaks_nobody() {
    let cases: [Change; 7] = [
        |set| message(set, "Order").field.push(text(93, "gift_note")),
        |set| {
            let oneof_index = Some(0);
            let added = FieldDescriptorProto { oneof_index, ..text(94, "invoice") };
            message(set, "Order").field.push(added);
        },
        |set| {
            let (name, number) = (Some("ORDER_STATUS_PENDING".into()), Some(4));
            values(set).push(EnumValueDescriptorProto { name, number, options: None });
        },
        |set| {
            let name = Some("CancelOrder".into());
            rpcs(set).push(MethodDescriptorProto { name, ..Default::default() });
        },
        |set| {
            let (name, package) = (Some("shop/v1/payments.proto".into()), Some("shop.v1".into()));
            set.file.push(FileDescriptorProto { name, package, ..Default::default() });
        },
        |set| message(set, "Order").field.reverse(),
        |set| shop(set).source_code_info = Some(SourceCodeInfo::default()),
    ];
    for (index, change) in cases.into_iter().enumerate() {
        assert_eq!(breaks(change), Vec::<String>::new(), "case {index}");
    }
}

fn shop(set: &mut FileDescriptorSet) -> &mut FileDescriptorProto {
    set.file.iter_mut().find(|file| file.name() == "shop/v1/orders.proto").unwrap()
}

fn message<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut DescriptorProto {
    shop(set).message_type.iter_mut().find(|message| message.name() == name).unwrap()
}

/// A field of an order.
fn field(set: &mut FileDescriptorSet, number: i32) -> &mut FieldDescriptorProto {
    message(set, "Order").field.iter_mut().find(|field| field.number() == number).unwrap()
}

/// The values of an order's status.
fn values(set: &mut FileDescriptorSet) -> &mut Vec<EnumValueDescriptorProto> {
    let mut enums = shop(set).enum_type.iter_mut();
    &mut enums.find(|each| each.name() == "OrderStatus").unwrap().value
}

/// The calls of the service of orders; the first places one.
fn rpcs(set: &mut FileDescriptorSet) -> &mut Vec<MethodDescriptorProto> {
    &mut shop(set).service.iter_mut().find(|service| service.name() == "Orders").unwrap().method
}

/// A field that holds text.
fn text(number: i32, name: &str) -> FieldDescriptorProto {
    let mut field = FieldDescriptorProto {
        name: Some(name.to_owned()),
        json_name: Some(name.to_owned()),
        number: Some(number),
        ..Default::default()
    };
    field.set_type(Type::String);
    field.set_label(Label::Optional);
    field
}
