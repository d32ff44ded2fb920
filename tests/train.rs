//! The panel, its history, and the loop that uses it.

use crate::display::printed;
use crate::progress::shown;
use crate::support::{kernel, run};
use lab::candle_core::{DType, Device, Module, Result, Tensor, Var};
use lab::candle_nn::{AdamW, Linear, Optimizer, ParamsAdamW, VarBuilder, VarMap, linear};
use lab::data::drawn_sized;
use lab::train::{Epoch, History, Panel, Score, Settings, evaluate, fit};
use std::panic::catch_unwind;

const TAPER: &[(&str, &str)] = &[("TAPER_DISPLAY", "1")];
const STOCK: &[(&str, &str)] = &[("EVCXR_IS_RUNTIME", "1")];

fn score(loss: f32, accuracy: f32) -> Score {
    Score { loss, accuracy }
}

/// Two epochs of three steps, the second with validation.
fn two_epochs(mut panel: Panel) -> History {
    for (loss, accuracy) in [(4.0, 0.0), (2.0, 0.5), (0.0, 1.0)] {
        panel.step(loss, accuracy).unwrap();
    }
    panel.epoch(None).unwrap();
    for _ in 0..3 {
        panel.step(0.5, 0.75).unwrap();
    }
    panel.epoch(Some(score(0.25, 0.875))).unwrap();
    panel.finish()
}

#[test]
fn the_history_has_what_was_reported() {
    let out = printed("train::the_history_has_what_was_reported", TAPER, || {
        let history = two_epochs(Panel::new("Training", "drawn digits", 2, 3));
        assert_eq!(history.losses(), [4.0, 2.0, 0.0, 0.5, 0.5, 0.5]);
        assert_eq!(history.accuracies(), [0.0, 0.5, 1.0, 0.75, 0.75, 0.75]);
        assert_eq!(history.steps()[1], score(2.0, 0.5));
        let [first, second] = history.epochs() else { panic!("{history:?}") };
        assert_eq!(
            *first,
            Epoch { training: score(2.0, 0.5), validation: None, last_step: 3, seconds: first.seconds }
        );
        assert_eq!((second.training, second.validation), (score(0.5, 0.75), Some(score(0.25, 0.875))));
        assert_eq!((second.last_step, history.seconds()), (6, first.seconds + second.seconds));
        assert!(
            first.seconds >= 0.0
                && format!("{history:?}").starts_with("History { steps: 6 scores, epochs: [")
        );
    });
    // A failure in the panel's process would not be a display.
    assert!(shown(&out).len() > 1);
}

/// The text without the rate and the time, which no test can know.
fn timeless(text: &str) -> String {
    let parts = text.split("; ").filter(|part| !part.contains(" steps/s"));
    parts.collect::<Vec<_>>().join("; ")
}

#[test]
fn the_panel_is_one_display_with_both_curves() {
    let out = printed("train::the_panel_is_one_display_with_both_curves", TAPER, || {
        two_epochs(Panel::new("Training", "<digits>", 2, 3));
    });
    let shown = shown(&out);
    assert!(shown.len() >= 4 && shown.iter().all(|display| display.id == shown[0].id));
    assert!(!shown[0].update && shown[1..].iter().all(|display| display.update));
    assert_eq!(
        timeless(&shown[0].text),
        "Training (<digits>): epoch 1/2, step 1/3; loss 4.0000, accuracy 0.00 %"
    );
    let last = &shown[shown.len() - 1];
    let text = "Training (<digits>): epoch 2/2, step 3/3; loss 1.2500, accuracy 62.50 % (mean of 6 steps); \
                validation loss 0.2500, accuracy 87.50 %";
    assert_eq!(timeless(&last.text), text);
    assert!(last.text.ends_with(" steps/s, done in 0:00"), "{}", last.text);
    let alt = "<img alt=\"Training (&lt;digits&gt;), 6 steps, loss from 4.0000 to 0.5000, accuracy from 0.00 % to 75.00 %\" ";
    assert!(last.html.starts_with(alt), "{}", last.html);
    assert!(last.html.contains(" src=\"data:image/svg+xml;base64,") && !last.html.contains("<script"));
    assert!(last.html.contains("<progress value=\"6\" max=\"6\""), "{}", last.html);
}

#[test]
fn a_long_training_stays_small() {
    let out = printed("train::a_long_training_stays_small", TAPER, || {
        let mut panel = Panel::new("Training", "MNIST", 20, 5_000);
        for step in 0..100_000 {
            panel.step(step as f32 % 97.0, step as f32 % 7.0 / 7.0).unwrap();
            if step % 5_000 == 4_999 {
                panel.epoch(Some(score(0.5, 0.5))).unwrap();
            }
        }
        assert_eq!(panel.finish().steps().len(), 100_000);
    });
    assert!(out.lines().count() < 100, "{} displays", out.lines().count());
    assert!(out.lines().all(|line| line.len() < 60_000), "{:?}", out.lines().map(str::len).max());
}

#[test]
fn a_loss_that_is_not_a_number_is_told_of_and_not_drawn() {
    let out = printed("train::a_loss_that_is_not_a_number_is_told_of_and_not_drawn", TAPER, || {
        for losses in [[1.0, f32::NAN, f32::NAN], [1.0, f32::INFINITY, 0.5], [f32::NAN, f32::NAN, f32::NAN]] {
            let mut panel = Panel::new("Training", "MNIST", 1, 3);
            losses.into_iter().for_each(|loss| panel.step(loss, f32::NAN).unwrap());
            assert_eq!(panel.finish().losses().len(), 3);
        }
    });
    let shown = shown(&out);
    let ends: Vec<_> = shown.iter().filter(|display| display.text.contains("done in")).collect();
    let expected = [
        ("the loss is not a number since step 2", "3 steps\""),
        (
            "losses that are no finite numbers: 1 of 3, the first at step 2",
            "3 steps, loss from 1.0000 to 0.5000\"",
        ),
        ("the loss is not a number since step 1", "3 steps\""),
    ];
    assert_eq!(ends.len(), expected.len());
    for (end, (words, alt)) in ends.iter().zip(expected) {
        assert!(
            end.text.ends_with(words) && end.html.contains(words) && end.html.contains(alt),
            "{}",
            end.text
        );
    }
}

#[test]
fn whatever_ends_a_training_is_told() {
    let out = printed("train::whatever_ends_a_training_is_told", TAPER, || {
        std::panic::set_hook(Box::new(|_| ()));
        drop(Panel::new("Unused", "MNIST", 1, 3));
        let started = |title| {
            let mut panel = Panel::new(title, "MNIST", 1, 3);
            panel.step(1.0, 0.5).unwrap();
            panel
        };
        drop(started("Dropped"));
        let panicked = catch_unwind(|| {
            let _panel = started("Panicked");
            panic!("on purpose");
        });
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
        let mut outer = started("Interrupted");
        lab::kernel::lab_interrupt();
        assert_eq!(outer.step(0.5, 0.5).unwrap_err().to_string(), "interrupted");
        assert_eq!(outer.epoch(None).unwrap_err().to_string(), "interrupted");
        // A later cell can continue with the panel.
        // SAFETY: the path is a C string literal, which is never freed.
        unsafe { lab::kernel::lab_begin(c"cell".as_ptr()) };
        outer.step(0.25, 0.5).unwrap();
        outer.finish();
    });
    let shown = shown(&out);
    let told: Vec<_> =
        shown.iter().map(|shown| (shown.text.split(' ').next().unwrap(), &shown.text)).collect();
    let end = |title: &str, end: &str| {
        assert!(told.iter().any(|(of, text)| *of == title && text.contains(end)), "{title}: {told:?}");
    };
    end("Dropped", " stopped after 0:00");
    end("Panicked", " stopped after 0:00");
    end("Interrupted", " interrupted after 0:00");
    assert!(told.iter().all(|(title, _)| *title != "Unused"), "{told:?}");
    let last = &shown[shown.len() - 1];
    assert!(last.text.contains("done in 0:00") && last.id != shown[shown.len() - 3].id, "{told:?}");
}

#[test]
fn elsewhere_there_are_lines_and_the_curves_at_the_end() {
    let act = || {
        let mut panel = Panel::new("Training", "MNIST", 2, 60);
        for _ in 0..2 {
            (0..60).for_each(|_| panel.step(0.5, 0.75).unwrap());
            panel.epoch(Some(score(0.25, 0.875))).unwrap();
        }
        panel.finish();
    };
    let name = "train::elsewhere_there_are_lines_and_the_curves_at_the_end";
    let (stock, terminal) = (printed(name, STOCK, act), printed(name, &[], act));
    let lines: Vec<String> = stock.lines().map(timeless).collect();
    let current = "loss 0.5000, accuracy 75.00 % (mean of 50 steps)";
    let validation = "validation loss 0.2500, accuracy 87.50 %";
    let mean = "mean loss 0.5000, accuracy 75.00 %";
    let expected = [
        "Training (MNIST)".to_owned(),
        format!("epoch 1/2, step 50/60: {current}"),
        format!("epoch 1/2, step 60/60: {mean}; {validation}"),
        format!("epoch 2/2, step 50/60: {current}; {validation}"),
        format!("epoch 2/2, step 60/60: {mean}; {validation}"),
        "EVCXR_BEGIN_CONTENT text/html".to_owned(),
    ];
    assert_eq!(lines[..6], expected);
    assert!(stock.contains("text/html\n<img alt=\"Training (MNIST), 120 steps, "), "{stock}");
    let terminal: Vec<String> = terminal.lines().map(timeless).collect();
    assert_eq!(terminal[..5], expected[..5]);
    assert_eq!(terminal[5..], [format!("Training (MNIST): epoch 2/2, step 60/60; {current}; {validation}")]);
}

/// A training of two steps, each with a look at a network of one filter; the panel before its end.
fn watched() -> Panel {
    let digit = Tensor::new(&[[[[0f32, 1.0]]]], &Device::Cpu).unwrap();
    let filter = Var::new(&[[[[3f32, 4.0]]]], &Device::Cpu).unwrap();
    let gradients = filter.sum_all().unwrap().backward().unwrap();
    let panel = Panel::new("Training", "MNIST", 1, 2);
    let mut panel = panel.watch(&[("filter", filter)][..], &digit).unwrap();
    for loss in [1.0, 0.5] {
        panel.step(loss, 0.75).unwrap();
        panel
            .look(&gradients, |digit| Ok((digit.clone(), Tensor::zeros((1, 4), DType::F32, &Device::Cpu)?)))
            .unwrap();
    }
    panel
}

#[test]
fn a_watched_network_is_one_display_that_is_played_back_at_the_end() {
    let act = || {
        let mut panel = watched();
        panel.epoch(None).unwrap();
        panel.finish();
    };
    let name = "train::a_watched_network_is_one_display_that_is_played_back_at_the_end";
    let out = printed(name, TAPER, act);
    let shown = shown(&out);
    assert!(shown.iter().all(|display| display.id == shown[0].id));
    let (last, before) = shown.split_last().unwrap();
    assert!(before.iter().all(|display| !display.html.contains("lab-player")));
    let picture = "norm of filter 5.000, of its gradient 1.414; the digit: 0 with 25.0 %\"";
    assert!(before[before.len() - 1].html.contains(picture), "{}", before[before.len() - 1].html);
    let captions = "[&quot;after 1 step: loss 1.0000, accuracy 75.00 %&quot;,\
                    &quot;after 2 steps: loss 0.7500, accuracy 75.00 % (mean of 2 steps)&quot;]";
    assert!(last.html.contains(&format!("data-captions=\"{captions}\" data-drawings=\"")), "{}", last.html);
    assert!(last.text.ends_with("; the digit: 0 with 25.0 %"), "{}", last.text);

    // Where it cannot change, the end is all that is shown.
    let stock = printed(name, STOCK, act);
    assert!(stock.contains(picture) && !stock.contains("lab-player"), "{stock}");
    assert_eq!(stock.matches("<img ").count(), 2, "{stock}");
}

#[test]
fn an_interrupt_keeps_what_was_seen_of_a_network() {
    let out = printed("train::an_interrupt_keeps_what_was_seen_of_a_network", TAPER, || {
        let mut panel = watched();
        lab::kernel::lab_interrupt();
        panel.epoch(None).unwrap_err();
    });
    let shown = shown(&out);
    let last = &shown[shown.len() - 1];
    assert!(last.text.contains(" interrupted after 0:00"), "{}", last.text);
    assert!(
        last.html.contains("&quot;after 1 step: ") && last.html.contains("&quot;after 2 steps: "),
        "{}",
        last.html
    );
}

/// A network of one layer, and its optimizer.
fn one_layer() -> Result<(Linear, AdamW)> {
    let weights = VarMap::new();
    let layer = linear(784, 10, VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu).pp("dense"))?;
    lab::init::seed(&weights, 1)?;
    let settings = ParamsAdamW { lr: 0.003, weight_decay: 0.0, ..Default::default() };
    Ok((layer, AdamW::new(weights.all_vars(), settings)?))
}

fn settings(device: &Device) -> Settings<'_> {
    Settings { title: "Training", epochs: 3, batch_size: 64, seed: 1, device }
}

/// One layer gets 86 % of 500 drawn digits right after three epochs on 2,000. Guesses would be one in ten.
#[test]
fn fit_learns_the_same_from_the_same_seed() {
    let out = printed("train::fit_learns_the_same_from_the_same_seed", TAPER, || {
        let digits = drawn_sized(0, 2_000, 500).unwrap();
        let train = || -> Result<History> {
            let (layer, mut adam) = one_layer()?;
            let forward = |images: &Tensor, _: bool| layer.forward(&images.flatten_from(1)?);
            let history =
                fit(forward, &mut adam, &digits.train, Some(&digits.test), &settings(&Device::Cpu))?;
            let again = evaluate(forward, &digits.test, &Device::Cpu)?;
            assert_eq!(history.epochs()[2].validation, Some(again));
            Ok(history)
        };
        let history = train().unwrap();
        assert_eq!(history.steps().len(), 3 * 32);
        let last = history.epochs()[2].validation.unwrap();
        assert!(last.accuracy > 0.8 && last.loss < 0.8, "{last}");
        assert_eq!(history.losses(), train().unwrap().losses());
    });
    assert!(shown(&out).len() > 1);
}

#[test]
fn fit_says_what_is_wrong_and_ends_when_interrupted() {
    let out = printed("train::fit_says_what_is_wrong_and_ends_when_interrupted", TAPER, || {
        let digits = drawn_sized(0, 640, 0).unwrap();
        let (layer, mut adam) = one_layer().unwrap();
        let forward = |images: &Tensor, _: bool| layer.forward(&images.flatten_from(1)?);
        let settings = settings(&Device::Cpu);
        let nothing = fit(forward, &mut adam, &digits.test, None, &settings).unwrap_err().to_string();
        assert!(nothing.starts_with("no images of drawn digits, test to learn from"), "{nothing}");
        let nothing = evaluate(forward, &digits.test, &Device::Cpu).unwrap_err().to_string();
        assert!(nothing.starts_with("no images of drawn digits, test to test on"), "{nothing}");
        let calls = std::cell::Cell::new(0);
        let interrupted = |images: &Tensor, training: bool| {
            calls.set(calls.get() + 1);
            if calls.get() == 4 {
                lab::kernel::lab_interrupt();
            }
            forward(images, training)
        };
        let error = fit(interrupted, &mut adam, &digits.train, None, &settings).unwrap_err();
        assert!(error.to_string().starts_with("interrupted") && calls.get() == 4, "{error}");
    });
    let shown = shown(&out);
    let last = &shown[shown.len() - 1].text;
    // The loss of the fourth step checks for the interrupt too.
    assert!(last.contains("epoch 1/3, step 3/10; ") && last.ends_with(" interrupted after 0:00"), "{last}");
}

#[tokio::test]
async fn an_interrupted_training_keeps_the_variables_of_earlier_cells() {
    let mut kernel = kernel().await;
    run(&mut kernel, ":dep lab = { path = \"lab\" }\nuse lab::train::Panel;\nlet mut kept = vec![1];").await;
    // The stop button, pressed at a moment that the test chooses.
    let interrupted = "kept.push(2);\nlet mut panel = Panel::new(\"Training\", \"MNIST\", 1, 2);\npanel.step(0.5, 0.5)?;\n\
                       lab::kernel::lab_interrupt();\npanel.step(0.5, 0.5)?;\nkept.push(3);";
    let messages = run(&mut kernel, interrupted).await;
    assert_eq!(
        messages[2..4],
        ["display text/html text/plain", "update text/html text/plain"],
        "{messages:?}"
    );
    assert!(messages[4].starts_with("error "), "{messages:?}");
    assert!(run(&mut kernel, "kept.len()").await[2].ends_with(": 2"));
    let messages = run(&mut kernel, "for _ in lab::progress(0..2) { lab::kernel::lab_interrupt(); }").await;
    assert!(messages.iter().any(|message| message.starts_with("error ")), "{messages:?}");
    assert!(messages.iter().all(|message| !message.starts_with("std")), "{messages:?}");
    assert!(run(&mut kernel, "kept.len()").await[2].ends_with(": 2"));
    kernel.shut_down().await.unwrap();
}
