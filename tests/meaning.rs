//! `16_meaning`: the network of its cells, beside the same network in PyTorch, and files that do not fit.

use crate::course::after;
use crate::models::models;
use crate::support::{failure, output, outputs, root};
use std::fs;

#[tokio::test]
async fn sentences_have_the_vectors_that_transformers_gives_them() {
    let mut kernel = after("16_meaning", "fn vectors(").await;
    let fixtures = root().join("tests/fixtures");
    let cell = format!(
        "let expected = safetensors::load({:?}, &device)?[\"vectors\"].clone();\n\
         let sentences: Vec<String> = std::fs::read_to_string({:?})?.lines().map(String::from).collect();\n\
         let found = vectors(&net, &tokenizer, &sentences, &device)?;\n\
         let difference = (found - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;\n\
         (sentences.len(), difference < 1e-5)",
        fixtures.join("sentences.safetensors"),
        fixtures.join("sentences.txt")
    );
    assert_eq!(output(&mut kernel, &cell).await, "result 11: (100, true)");
}

/// The bytes of a file of the network.
fn bytes(name: &str) -> Vec<u8> {
    fs::read(models().join("all-MiniLM-L6-v2").join(name)).unwrap()
}

#[tokio::test]
async fn files_that_are_missing_or_do_not_fit_are_errors_of_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("all-MiniLM-L6-v2");
    fs::create_dir(&own).unwrap();
    let write = |name: &str, content: &[u8]| fs::write(own.join(name), content).unwrap();
    let mut kernel = after("16_meaning", "fn read_weights(").await;
    let cell = format!("unsafe {{ std::env::set_var(\"TAPER_MODELS\", {:?}) }};", folder.path());
    assert_eq!(outputs(&mut kernel, &cell).await, [""; 0]);
    let mut fails = async |code: &str, expected: &str| {
        let error = failure(&mut kernel, code).await;
        let expected = expected.replace("FOLDER", own.to_str().unwrap());
        assert!(
            error.evalue.starts_with(&expected) && !error.evalue.contains('\n'),
            "{code}: {}",
            error.evalue
        );
        error.ename
    };

    let ename = fails("file(\"tokenizer.json\")?", "FOLDER/tokenizer.json: not found").await;
    assert_eq!(ename, "Unavailable");

    let read = "read_tokenizer(&file(\"tokenizer.json\")?)?";
    write("tokenizer.json", b"{\"model\": 3}");
    fails(read, "FOLDER/tokenizer.json: ").await;
    write("tokenizer.json", &bytes("tokenizer.json")[..100_000]);
    fails(read, "FOLDER/tokenizer.json: ").await;

    let read = "let config = read_config(&file(\"config.json\")?)?;";
    write("config.json", b"{\"hidden_size\": \"384\"}");
    fails(read, "FOLDER/config.json: no number hidden_size").await;
    fails(
        "check(&tokenizer, &Config { vocabulary: 30_000, ..config.clone() })?",
        "the tokenizer has 30522 tokens, and the network vectors for 30000",
    )
    .await;

    let load = "read_weights(&file(\"model.safetensors\")?, &device)?";
    let network = format!(
        "let builder = VarBuilder::from_tensors({load}, DType::F32, &device);\n\
         MiniLm::new(&Config {{ wide: 1_000, ..config.clone() }}, builder)?;"
    );
    write("model.safetensors", &bytes("model.safetensors")[..1_000_000]);
    fails(load, "FOLDER/model.safetensors: ").await;
    write("model.safetensors", &bytes("model.safetensors"));
    fails(&network, "shape mismatch for encoder.layer.0.intermediate.dense.weight").await;
    // The session goes on.
    assert_eq!(output(&mut kernel, "config.size").await, "result 18: 384");
}
