//! Progress bars: in a process of their own, and in a kernel.

use crate::display::{WORD, printed};
use crate::support::kernel;
use jupyter_protocol::{JupyterMessageContent as Content, MediaType};
use lab::display::format::{self, Request};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A request for a display, as the kernel gets it.
pub struct Shown {
    pub id: String,
    pub update: bool,
    pub html: String,
    pub text: String,
}

/// All displays in the printed text, which must consist of nothing else.
pub fn shown(printed: &str) -> Vec<Shown> {
    let display = |line| match format::decode(line, WORD).unwrap() {
        Request::Display { data, display_id, update, .. } => Shown {
            id: display_id.expect("an id"),
            update,
            html: data["text/html"].as_str().unwrap().to_owned(),
            text: data["text/plain"].as_str().unwrap().to_owned(),
        },
        other => panic!("{other:?}"),
    };
    printed.lines().map(display).collect()
}

/// What comes before the rate and the time, which no test can know.
fn timeless(text: &str) -> &str {
    text.rsplit_once("/s, ").and_then(|(rest, _)| rest.rsplit_once(", ")).map_or(text, |(rest, _)| rest)
}

const TAPER: &[(&str, &str)] = &[("TAPER_DISPLAY", "1")];
const STOCK: &[(&str, &str)] = &[("EVCXR_IS_RUNTIME", "1")];

#[test]
fn one_display_is_updated_now_and_then_up_to_the_end() {
    let out = printed("progress::one_display_is_updated_now_and_then_up_to_the_end", TAPER, || {
        assert_eq!(lab::progress(0..1_000_000).label("a <b>").sum::<u64>(), 499_999_500_000);
    });
    let shown = shown(&out);
    assert!((2..100).contains(&shown.len()), "{} displays", shown.len());
    assert!(shown.iter().all(|display| display.id == shown[0].id));
    assert!(!shown[0].update && shown[1..].iter().all(|display| display.update));
    assert_eq!(shown[0].text, "a <b>: 0/1000000 [                    ] 0 %");
    let last = &shown[shown.len() - 1];
    assert_eq!(timeless(&last.text), "a <b>: 1000000/1000000 [====================] 100 %");
    let bar = "<div>a &lt;b&gt;: <progress value=\"1000000\" max=\"1000000\" ";
    assert!(last.html.starts_with(bar) && last.html.contains("> 1000000/1000000, 100 %, "), "{}", last.html);
}

#[test]
fn a_loop_that_is_left_says_how_far_it_came() {
    let out = printed("progress::a_loop_that_is_left_says_how_far_it_came", TAPER, || {
        for i in lab::progress(0..40) {
            if i == 9 {
                break;
            }
        }
        let panics = || lab::progress(0..40).for_each(|i| assert!(i < 9));
        let payload = catch_unwind(panics).expect_err("the tenth must panic");
        assert_eq!(payload.downcast_ref(), Some(&"assertion failed: i < 9"));
        assert_eq!(lab::progress(0..40).size_hint(), (40, Some(40)));
        assert_eq!(lab::progress(0..40).len(), 40);
    });
    let shown = shown(&out);
    assert_eq!(shown.len(), 4, "bars that were not used are not shown");
    assert_ne!(shown[0].id, shown[2].id, "each bar has an id of its own");
    let broken = &shown[1].text;
    assert_eq!(timeless(broken), "10/40 [=====               ] 25 %");
    assert!(broken.ends_with(", stopped after 0:00"), "{broken}");
    assert_eq!(timeless(&shown[3].text), "9/40 [====                ] 22 %", "the tenth was not completed");
}

#[test]
fn an_unknown_length_gives_a_count() {
    let out = printed("progress::an_unknown_length_gives_a_count", TAPER, || {
        assert_eq!(lab::progress((0..50).filter(|i| i % 2 == 0)).label("even").count(), 25);
        assert_eq!(lab::progress(0..0).count(), 0);
    });
    let shown = shown(&out);
    assert_eq!(timeless(&shown[1].text), "even: 25 items");
    assert!(shown[1].html.starts_with("<div>even: 25 items, "), "{}", shown[1].html);
    assert_eq!(shown[3].text, "0/0 [====================] 100 %, 0:00");
}

#[test]
fn an_interrupt_unwinds_without_a_word_of_its_own() {
    let out = printed("progress::an_interrupt_unwinds_without_a_word_of_its_own", TAPER, || {
        std::panic::set_hook(Box::new(|_| println!("a panic is reported")));
        let work = || {
            for i in lab::progress(0..8) {
                if i == 3 {
                    lab::kernel::lab_interrupt();
                }
            }
        };
        let payload = catch_unwind(AssertUnwindSafe(work)).expect_err("the loop must end");
        assert!(payload.is::<lab::Interrupted>());
    });
    let shown = shown(&out);
    let last = &shown[shown.len() - 1].text;
    assert_eq!(timeless(last), "4/8 [==========          ] 50 %");
    assert!(last.ends_with(", interrupted after 0:00"), "{last}");
}

#[test]
fn elsewhere_there_are_few_lines() {
    for environment in [STOCK, &[]] {
        let out = printed("progress::elsewhere_there_are_few_lines", environment, || {
            assert_eq!(lab::progress(0..1_000).label("fast").count(), 1_000);
            let slow = |_| std::thread::sleep(std::time::Duration::from_millis(110));
            lab::progress(0..20).label("slow").for_each(slow);
        });
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(timeless(lines[0]), "fast: 1000/1000 [====================] 100 %");
        assert_eq!(timeless(lines[lines.len() - 1]), "slow: 20/20 [====================] 100 %");
        assert!((3..6).contains(&lines.len()), "{out}");
        assert!(lines[1].starts_with("slow: ") && lines[1].ends_with(" left"), "{out}");
    }
}

#[tokio::test]
async fn updates_come_while_the_cell_runs() {
    let mut kernel = kernel().await;
    kernel.run(":dep lab = { path = \"lab\" }", |_| Ok(())).await.unwrap();
    // The cell ends only when the test, which has seen the bar move, lets it go on.
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let code = format!(
        "for i in lab::progress(0..4) {{ if i == 2 {{ while !std::path::Path::new({go:?}).exists() {{}} }} else {{ \
         std::thread::sleep(std::time::Duration::from_millis(150)) }} }}"
    );
    let mut shown: Vec<(bool, Option<String>, String)> = Vec::new();
    let good = kernel.run(&code, |message| {
        let (update, id, data) = match &message.content {
            Content::DisplayData(display) => {
                (false, display.transient.as_ref().and_then(|known| known.display_id.clone()), &display.data)
            }
            Content::UpdateDisplayData(display) => {
                (true, display.transient.display_id.clone(), &display.data)
            }
            _ => return Ok(()),
        };
        assert!(data.content.iter().any(|content| matches!(content, MediaType::Html(_))));
        shown.push((update, id, crate::support::plain(data).to_owned()));
        if update {
            std::fs::write(&go, "")?;
        }
        Ok(())
    });
    assert!(good.await.unwrap());
    let id = shown[0].1.as_ref().expect("an id");
    assert!(shown.len() >= 3 && shown.iter().all(|(_, other, _)| other.as_ref() == Some(id)), "{shown:?}");
    assert!(!shown[0].0 && shown[1..].iter().all(|(update, ..)| *update), "{shown:?}");
    assert_eq!(shown[0].2, "0/4 [                    ] 0 %");
    assert!(shown[shown.len() - 1].2.contains("4/4 [====================] 100 %"), "{shown:?}");
    kernel.shut_down().await.unwrap();
}
