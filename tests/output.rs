//! Large amounts and all kinds of output: nothing is lost, mixed up or held back.

use crate::support::{PATIENCE, kernel, run};
use jupyter_protocol::{
    JupyterMessage, JupyterMessageContent as Content, KernelInfoRequest, Media, MediaType, StreamContent,
};
use std::time::Duration;
use tokio::time::timeout;
use wire::Client;

/// Runs a cell and returns all that it printed on standard output.
async fn printed(kernel: &mut Client, code: &str) -> String {
    let mut text = String::new();
    let collect = |message: &JupyterMessage| {
        if let Content::StreamContent(StreamContent { text: more, .. }) = &message.content {
            text.push_str(more);
        }
        Ok(())
    };
    assert!(kernel.run(code, collect).await.unwrap(), "{code}");
    text
}

/// The largest memory that the kernel's own process has had, in MiB, where the system tells.
fn memory(kernel: &mut Client) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", kernel.process().id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

#[tokio::test]
async fn a_million_lines_arrive_in_order() {
    let mut kernel = kernel().await;
    let text = printed(&mut kernel, "for i in 0..1_000_000 { println!(\"line {i}\"); }").await;
    assert_eq!(text.lines().count(), 1_000_000);
    assert!(text.lines().enumerate().all(|(number, line)| line == format!("line {number}")));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn threads_do_not_mix_their_lines() {
    let mut kernel = kernel().await;
    let code = "std::thread::scope(|scope| {
    for thread in 0..4 {
        scope.spawn(move || (0..10_000).for_each(|i| println!(\"{thread} {i} {}\", \"x\".repeat(100))));
    }
});";
    let text = printed(&mut kernel, code).await;
    let mut next = [0; 4];
    for line in text.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let thread: usize = parts[0].parse().unwrap();
        assert_eq!((parts[1].parse(), parts[2].len(), parts.len()), (Ok(next[thread]), 100, 3), "{line}");
        next[thread] += 1;
    }
    assert_eq!(next, [10_000; 4]);
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_picture_of_100_megabytes_arrives_whole() {
    let mut kernel = kernel().await;
    let mut length = 0;
    let collect = |message: &JupyterMessage| {
        if let Content::DisplayData(display) = &message.content {
            let Media { content } = &display.data;
            let png = content.iter().find_map(|media| match media {
                MediaType::Png(png) => Some(png),
                _ => None,
            });
            let png = png.expect("a picture");
            // Bytes of 7, three of them as four letters.
            assert!(png.as_bytes().chunks(4).take(33_333_333).all(|letters| letters == b"BwcH"));
            length = png.len();
        }
        Ok(())
    };
    let shown = kernel.run("lab::display::png(&vec![7; 100_000_000]);", collect);
    assert!(timeout(PATIENCE, shown).await.expect("it takes too long").unwrap());
    assert_eq!(length, 133_333_336);
    if let Some(largest) = memory(&mut kernel) {
        assert!(largest < 900, "{largest} MiB");
    }
    assert_eq!(run(&mut kernel, "1 + 1").await[2], "result 2: 2");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_neither_the_kernel_nor_grows_it() {
    let mut kernel = kernel().await;
    // 300 MB, of which this client reads nothing at first.
    let code = "let line = \"x\".repeat(999);\nfor _ in 0..300_000 { println!(\"{line}\"); }";
    let id = kernel.execute(code).await.unwrap();
    for _ in 0..20 {
        let request = JupyterMessage::new(KernelInfoRequest {}, None);
        let info = request.header.msg_id.clone();
        kernel.shell.send(request).await.unwrap();
        let reply = timeout(PATIENCE, kernel.reply_to(&info)).await.expect("no answer").unwrap();
        assert!(matches!(reply.content, Content::KernelInfoReply(_)));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if let Some(largest) = memory(&mut kernel) {
        assert!(largest < 300, "{largest} MiB");
    }
    let mut bytes = 0;
    let collect = |message: &JupyterMessage| {
        if let Content::StreamContent(StreamContent { text, .. }) = &message.content {
            bytes += text.len();
        }
        Ok(())
    };
    kernel.until_idle(&id, collect).await.unwrap();
    assert_eq!(bytes, 300_000_000);
    if let Some(largest) = memory(&mut kernel) {
        assert!(largest < 300, "{largest} MiB");
    }
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn bytes_and_unfinished_lines_are_shown_as_they_come() {
    let mut kernel = kernel().await;
    let code = "use std::io::Write;
print!(\"10 %\\r\"); print!(\"20 %\\r\");
std::io::stdout().write_all(b\"caf\\xc3\\xa9 \\xff\\xfe end\")?;";
    assert_eq!(printed(&mut kernel, code).await, "10 %\r20 %\rcafé \u{fffd}\u{fffd} end");
    // Flushed text is published while the cell runs: the cell waits until this test has seen it.
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let code = format!(
        "print!(\"half a line\"); std::io::stdout().flush()?;
while !std::path::Path::new({seen:?}).exists() {{ lab::check_interrupt()?; }}
print!(\", and the rest\");"
    );
    let id = kernel.execute(&code).await.unwrap();
    let mut text = String::new();
    let collect = |message: &JupyterMessage| {
        if let Content::StreamContent(StreamContent { text: more, .. }) = &message.content {
            text.push_str(more);
            if text == "half a line" {
                std::fs::write(&seen, "")?;
            }
        }
        Ok(())
    };
    timeout(PATIENCE, kernel.until_idle(&id, collect)).await.expect("it was not shown").unwrap();
    assert_eq!(text, "half a line, and the rest");
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn a_display_is_updated_from_a_later_cell() {
    let mut kernel = kernel().await;
    let messages =
        run(&mut kernel, "use lab::display::Display;\nDisplay::html(\"1\").show_as(\"shared\");").await;
    assert_eq!(messages[2], "display text/html text/plain");
    let mut updated = None;
    let collect = |message: &JupyterMessage| {
        if let Content::UpdateDisplayData(update) = &message.content {
            updated = Some((update.transient.display_id.clone(), update.data.content.clone()));
        }
        Ok(())
    };
    assert!(kernel.run("Display::html(\"2\").alt(\"two\").update(\"shared\");", collect).await.unwrap());
    let (id, content) = updated.expect("no update");
    assert_eq!(id.as_deref(), Some("shared"));
    assert!(
        content.contains(&MediaType::Html("2".into())) && content.contains(&MediaType::Plain("two".into()))
    );
    kernel.shut_down().await.unwrap();
}
