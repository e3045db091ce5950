//! Address records and their exchange: the pinned bytes, and what is refused.

use towline_proto::address::AddressError;
use towline_proto::codec::DecodeError;
use towline_proto::ids::to_hex;
use towline_proto::wire::AddressExchange;
use towline_proto::{AddressBody, AddressRecord, limits};

use crate::golden::{golden, line};
use crate::samples::{AT, ann, ben, node};

fn body() -> AddressBody {
    AddressBody {
        node: node(&ann()),
        at: AT,
        addresses: vec![
            "/ip4/192.168.7.2/tcp/4001".into(),
            "/dns4/ann.example/tcp/4001".into(),
        ],
    }
}

pub(crate) fn sample() -> AddressRecord {
    AddressRecord::sign(body(), &ann())
}

pub(crate) fn exchange() -> AddressExchange {
    AddressExchange {
        records: vec![sample().bytes().to_vec().into()],
        all: true,
    }
}

#[test]
fn an_address_record_and_its_exchange_are_pinned() {
    let record = sample();
    let read = AddressRecord::decode(record.bytes()).expect("decodes");
    assert_eq!((read.verify(), read.body()), (Ok(()), record.body()));
    let exchanged = AddressExchange::decode(&exchange().encode());
    assert_eq!(exchanged, Ok(exchange()));
    golden(
        "address.hex",
        [
            line("record", to_hex(record.bytes())),
            line("exchange", to_hex(&exchange().encode())),
        ],
    );
}

#[test]
fn a_record_is_bounded_versioned_and_signed_by_the_node_that_it_names() {
    let good = sample();
    let forged = AddressRecord::sign(
        AddressBody {
            node: ben(),
            ..body()
        },
        &ann(),
    );
    let read = AddressRecord::decode(forged.bytes()).expect("readable");
    assert_eq!(read.verify(), Err(AddressError::Signature));
    // Flips every bit of the signature, and one bit of every signed byte.
    for at in 1..good.bytes().len() {
        let mut bytes = good.bytes().to_vec();
        bytes[at] ^= 1;
        if let Ok(bent) = AddressRecord::decode(&bytes) {
            assert!(bent.verify().is_err(), "byte {at}");
        }
    }
    let many = vec!["/ip4/192.168.7.2/tcp/4001".to_owned(); 99];
    let cut = AddressRecord::sign(
        AddressBody {
            addresses: many,
            ..body()
        },
        &ann(),
    );
    assert_eq!(cut.body().addresses.len(), limits::RECORD_ADDRESSES);
    let longest = vec!["x".repeat(limits::RECORD_ADDRESS_BYTES); limits::RECORD_ADDRESSES];
    let full = AddressRecord::sign(
        AddressBody {
            addresses: longest,
            ..body()
        },
        &ann(),
    );
    assert!(AddressRecord::decode(full.bytes()).is_ok(), "full ones fit");
    let long = vec![1; limits::RECORD_BYTES + 1];
    let newer = [&[2], &good.bytes()[1..]].concat();
    for bytes in [&long[..], &newer, &good.bytes()[..40], &[]] {
        assert!(matches!(
            AddressRecord::decode(bytes),
            Err(AddressError::Decode(_))
        ));
    }
}

/// A signed record that exceeds the limits.
#[test]
fn a_record_with_too_much_in_it_is_refused_although_it_is_signed() {
    let few = AddressBody {
        addresses: vec![String::new(); limits::RECORD_ADDRESSES],
        ..body()
    };
    let bytes = AddressRecord::sign(few, &ann()).bytes().to_vec();
    // MessagePack's short array of eight empty strings becomes one of nine.
    let array = bytes.len() - 1 - limits::RECORD_ADDRESSES;
    assert_eq!(bytes[array], 0x98);
    let mut more = bytes.clone();
    more[array] = 0x99;
    more.push(0xa0);
    let refused = AddressRecord::decode(&more).expect_err("nine");
    assert!(refused.to_string().contains("9 addresses"), "{refused}");
    let mut crowd = exchange();
    crowd.records = vec![serde_bytes::ByteBuf::new(); limits::EXCHANGE_RECORDS + 1];
    let refused = AddressExchange::decode(&crowd.encode());
    assert!(matches!(refused, Err(DecodeError::TooLarge { .. })));
}
