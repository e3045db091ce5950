//! The document against the structure of OpenAPI 3.1, the routes and the table.

use std::collections::BTreeSet;

use super::*;

/// Every object in a document.
fn each<'a>(value: &'a Value, look: &mut impl FnMut(&'a Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            look(fields);
            fields.values().for_each(|field| each(field, look));
        }
        Value::Array(items) => items.iter().for_each(|item| each(item, look)),
        _ => {}
    }
}

#[test]
fn the_document_has_the_structure_of_openapi() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with('/'), "{path}");
        for (verb, operation) in item.as_object().unwrap() {
            assert!(["get", "post"].contains(&verb.as_str()), "{path}: {verb}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{path}");
            assert_eq!(
                verb == "post",
                operation["requestBody"]["content"].is_object(),
                "{path}"
            );
            let mut in_path = BTreeSet::new();
            for parameter in operation["parameters"].as_array().unwrap() {
                assert!(parameter["schema"].is_object(), "{path}: {parameter}");
                if parameter["in"] == "path" {
                    assert_eq!(parameter["required"], true, "{path}");
                    in_path.insert(format!("{{{}}}", parameter["name"].as_str().unwrap()));
                }
            }
            let named: BTreeSet<_> = path
                .split('/')
                .filter(|part| part.starts_with('{'))
                .map(str::to_owned)
                .collect();
            assert_eq!(named, in_path, "{path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(
                    status == "default" || status.parse::<u16>().is_ok(),
                    "{path}: {status}"
                );
                assert!(
                    response["description"].is_string() || response["$ref"].is_string(),
                    "{path}: {status}"
                );
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut targets = BTreeSet::new();
    each(&document, &mut |fields| {
        if let Some(Value::String(target)) = fields.get("$ref") {
            targets.insert(target.clone());
        }
    });
    for target in &targets {
        assert!(document.pointer(&target[1..]).is_some(), "{target}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let name = format!("#/components/schemas/{name}");
        assert!(targets.contains(&name), "nothing leads to {name}");
    }
}

#[test]
fn every_request_that_http_takes_is_described_and_no_other() {
    let document = document();
    for row in TABLE {
        let described = &document["components"]["schemas"][format!("request.{}", row.name)];
        assert_eq!(
            described.is_object(),
            row.http != OverHttp::Refused,
            "{}",
            row.name
        );
        if row.http == OverHttp::Write {
            assert!(
                described["description"]
                    .as_str()
                    .unwrap()
                    .contains(row.role.as_str())
            );
        }
    }
}
