//! `:dep lab` with features links the cells with another `lab`. Here it is the one with Burn, which the first of these tests
//! compiles, for minutes, unless that has been done before.

use crate::support::{kernel, root, run, until_idle};
use jupyter_protocol::{InterruptRequest, JupyterMessage, JupyterMessageContent as Content};
use wire::Client;

const BURN: &str = ":dep lab = { path = \"lab\", features = [\"burn\"] }\nuse lab::burn;";

/// A kernel whose cells have Burn.
async fn kernel_with_burn() -> Client {
    let mut kernel = kernel().await;
    let messages = run(&mut kernel, BURN).await;
    // Everybody who waits for a build sees its progress.
    let others =
        messages.iter().filter(|message| *message != "display text/plain" && !message.starts_with("update"));
    assert_eq!(others.collect::<Vec<_>>(), ["busy", "input 1", "idle"]);
    kernel
}

#[tokio::test]
async fn cells_can_ask_for_burn_and_derive_its_traits() {
    let mut kernel = kernel_with_burn().await;
    let module = "use burn::{module::Module, nn::{Linear, LinearConfig}, tensor::{Device, Tensor}};
#[derive(Module, Debug)]
struct Net { dense: Linear }
let device = Device::flex().autodiff();
device.seed(42);
let net = Net { dense: LinearConfig::new(3, 2).init(&device) };
net.num_params()";
    assert_eq!(run(&mut kernel, module).await[2], "result 2: 8");
    // One cell seeds, another draws: all cells share one Burn.
    let seeded = "device.seed(7);";
    let draw =
        "Tensor::<1>::random([2], burn::tensor::Distribution::Default, &device).into_data().to_string()";
    let mut drawn = Vec::new();
    for _ in 0..2 {
        run(&mut kernel, seeded).await;
        let result = run(&mut kernel, draw).await[2].clone();
        drawn.push(result.split_once(": ").expect("a result").1.to_owned());
    }
    assert_eq!(drawn[0], drawn[1]);
    // A `:dep` line without the feature is accepted too.
    let plain = ":dep lab = { path = \"lab\" }\nlab::candle_core::Tensor::new(&[1f32, 2.], &lab::candle_core::Device::Cpu)?.rank()";
    assert_eq!(run(&mut kernel, plain).await[2], "result 7: 1");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn what_is_exchanged_is_the_lab_of_the_whole_process() {
    let mut kernel = kernel_with_burn().await;
    run(&mut kernel, "let kept = vec![1, 2, 3];").await;
    // The interrupt reaches the `lab` that this loop asks, and the panel the output that the kernel reads.
    let id = kernel.execute("println!(\"running\"); loop { lab::check_interrupt()?; }").await.unwrap();
    while !matches!(kernel.iopub.read().await.unwrap().content, Content::StreamContent(_)) {}
    kernel.control.send(JupyterMessage::new(InterruptRequest {}, None)).await.unwrap();
    let messages = until_idle(&mut kernel, &id).await;
    let kept = "the cell was interrupted and has ended; the variables of earlier cells are kept";
    assert!(messages.contains(&format!("error Interrupted: {kept}")), "{messages:?}");
    assert_eq!(run(&mut kernel, "kept.len()").await[2], "result 4: 3");
    let panic = run(&mut kernel, "panic!(\"it is told of\")").await;
    assert_eq!(panic[2], "error panic: it is told of");
    kernel.shut_down().await.unwrap();
}

/// The kernel's own `lab` is not used, although its library has the same name.
#[tokio::test]
async fn a_lab_that_is_being_worked_on_is_the_one_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(root().join("notebooks/lab"))
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    let main = folder.path().join("lab/src/lib.rs");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(&main, text + "\n/// Only here.\npub fn seven() -> u8 {\n    7\n}\n").unwrap();
    let mut kernel = kernel().await;
    let cell = format!(":dep lab = {{ path = {:?} }}\nlab::seven()", folder.path().join("lab"));
    assert_eq!(run(&mut kernel, &cell).await[2], "result 1: 7");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_session_that_has_begun_keeps_its_lab() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = vec![1, 2, 3];").await;
    let refused = "error DependencyError: cells have already used another `lab`: restart the kernel and run this cell first";
    assert_eq!(run(&mut kernel, BURN).await[2], refused);
    assert_eq!(run(&mut kernel, "kept.len()").await[2], "result 3: 3");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_feature_that_lab_has_not_is_named() {
    let mut kernel = kernel().await;
    let messages = run(&mut kernel, ":dep lab = { path = \"lab\", features = [\"no-such\"] }").await;
    assert!(messages[2].starts_with("error DependencyError: "), "{messages:?}");
    assert!(messages[2].contains("no-such"), "{messages:?}");
    assert_eq!(run(&mut kernel, "1 + 1").await[2], "result 2: 2", "the session goes on");
    kernel.shut_down().await.unwrap();
}
