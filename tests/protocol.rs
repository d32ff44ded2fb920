//! The messaging protocol 5.4, <https://jupyter-client.readthedocs.io/en/stable/messaging.html>: what a client may send,
//! what the kernel does then, and the test that shows it. A test is in this file if it is not in the one named; `wire::…` are
//! those in kernel/wire/tests, which need no compiler.
//!
//! | message | behaviour | test |
//! |---|---|---|
//! | any message | header with version 5.4, own id, the kernel's session; the request's header as parent; on IOPub under its type as topic | wire::requests::every_message_says_what_it_is_and_what_it_answers |
//! | any message | wrongly signed: ignored | wire::sockets::messages_with_a_wrong_signature_are_ignored |
//! | any message | larger than 256 MiB: its connection ends | wire::sockets::a_message_that_is_too_large_ends_its_connection |
//! | any request | does not have what its type wants: a reply with status `error` | wire::requests::a_request_that_makes_no_sense_is_answered_with_an_error |
//! | any request | fields with a default may be missing or null | wire::requests::a_request_may_leave_out_what_has_a_default |
//! | any request | answered between busy and idle, on shell and control, also while a cell runs; then the cell is said to be busy again | wire::cells::requests_are_answered_while_a_cell_runs |
//! | any request | no status after its idle | wire::cells::nothing_says_busy_of_a_request_that_has_become_idle |
//! | unknown messages | busy, idle, no reply | wire::requests::messages_that_the_kernel_does_not_know_are_ignored |
//! | iopub_welcome | sent to each subscriber (JEP 65) | wire::sockets::a_subscriber_is_welcomed_and_hears_its_topic |
//! | execute | busy, execute_input, outputs in order, execute_result, idle; counted from 1 | execution::a_cell_goes_from_busy_over_input_and_output_to_idle |
//! | execute, reply | number, `payload`, `user_expressions`; after a failure the same error as on IOPub | execution::a_reply_tells_the_number_and_the_failure |
//! | execute, `silent` | only busy and idle on IOPub, neither counted nor stored | execution::a_silent_cell_leaves_no_trace_but_its_effect |
//! | execute, `store_history: false` | runs and shows, neither counted nor stored | execution::a_cell_that_is_not_stored_is_not_counted |
//! | execute, `user_expressions` | each answered by itself, without a trace on IOPub | execution::expressions_are_answered_with_the_reply |
//! | execute, `stop_on_error: true` | the cells that wait are answered `aborted` | execution::the_cells_after_a_failing_one_are_aborted |
//! | execute, `stop_on_error: false` | the cells that wait are run | execution::cells_that_may_go_on_after_a_failure_do |
//! | execute, `allow_stdin: true` | input_request on stdin whenever a cell reads a line | execution::a_cell_can_ask_the_user |
//! | execute, interrupt | a question that waits is withdrawn; a late answer to it is none | wire::stdin::who_asks_learns_that_the_question_was_withdrawn |
//! | execute, `allow_stdin: false` | a cell that reads a line fails | execution::a_user_who_cannot_be_asked_is_not |
//! | stream | as it is printed, whole lines or not | execution::streams_come_live_and_whole |
//! | display_data, update_display_data, clear_output | in order with the streams, with `text/plain` | execution::displays_come_in_order_with_text |
//! | kernel_info | language, version of the compiler, no debugger, no optional features | queries::the_kernel_says_what_it_is |
//! | is_complete | as the language has it; an indent if there is more to come | queries::a_cell_is_complete_incomplete_or_invalid |
//! | history | `tail`, `range`, `search` with `n`, `unique`, `output`; one session, numbered 0 | wire::requests::history_is_found_by_its_end_by_numbers_and_by_pattern |
//! | complete, inspect | positions in code points | wire::requests::cursors_are_counted_in_code_points |
//! | complete | what the session has defined; types in `_jupyter_types_experimental` | queries::completion_knows_the_session_and_counts_characters |
//! | complete | in time, with what is known by then; a newer request goes first | completion::the_session_is_completed_while_the_analyzer_is_busy_and_a_newer_request_goes_first |
//! | inspect | one level of detail; `found: false` with empty data | queries::inspection_finds_what_is_under_the_cursor_or_says_that_it_does_not |
//! | comm_info, comm_open | none; a comm_close with the same id | wire::requests::there_are_no_comms_and_one_that_is_opened_is_closed |
//! | comm_msg, comm_close | ignored | wire::requests::messages_that_the_kernel_does_not_know_are_ignored |
//! | interrupt | answered at once; ends the cell | interrupt::code_that_does_not_look_is_ended_and_the_lost_variables_are_named |
//! | interrupt, no cell | answered, nothing else | an_interrupt_without_a_cell_changes_nothing |
//! | shutdown | answered with the same `restart`, on shell and control, between busy and idle | wire::cells::a_shutdown_is_answered_and_its_end_is_told |
//! | shutdown | all processes and files are gone | life::a_shutdown_leaves_nothing_behind |
//! | debug | the debug adapter protocol's response for a failure | wire::requests::a_debugger_is_told_that_there_is_none |
//! | heartbeat | sends back what comes | wire::sockets::the_heartbeat_sends_back_what_comes |

use crate::support::{kernel, root, run};
use serde_json::json;
use wire::raw::{ask, read, send};

#[tokio::test]
async fn requests_are_answered_while_a_cell_runs() {
    let mut kernel = kernel().await;
    let folder = tempfile::tempdir().unwrap();
    let go_on = folder.path().join("go on");
    let code = format!("println!(\"running\"); while !std::path::Path::new({go_on:?}).exists() {{}}");
    let cell = send(&mut kernel.shell, "execute_request", json!({ "code": code })).await;
    while read(&mut kernel.iopub).await.kind() != "stream" {}
    for kind in ["kernel_info_request", "comm_info_request", "history_request"] {
        let content = json!({ "hist_access_type": "tail", "n": 1 });
        assert_eq!(ask(&mut kernel, kind, content.clone()).await["status"], "ok");
        // Whoever goes by the last status must not take the kernel for idle.
        let status = read(&mut kernel.iopub).await;
        assert_eq!((&status.content["execution_state"], &status.parent), (&json!("busy"), &cell));
        let request = send(&mut kernel.control, kind, content).await;
        let reply = read(&mut kernel.control).await;
        assert_eq!((&reply.content["status"], &reply.parent), (&json!("ok"), &request));
    }
    std::fs::write(go_on, "").unwrap();
    let reply = read(&mut kernel.shell).await;
    assert_eq!((&reply.content["status"], &reply.parent), (&json!("ok"), &cell));
    kernel.shut_down().await.unwrap();
}

#[tokio::test]
async fn an_interrupt_without_a_cell_changes_nothing() {
    let mut kernel = kernel().await;
    run(&mut kernel, "let kept = 7;").await;
    let request = send(&mut kernel.control, "interrupt_request", json!({})).await;
    let reply = read(&mut kernel.control).await;
    assert_eq!((reply.kind(), &reply.parent), ("interrupt_reply", &request));
    assert_eq!(reply.content, json!({ "status": "ok" }));
    assert_eq!(run(&mut kernel, "kept").await[2], "result 2: 7");
    kernel.shut_down().await.unwrap();
}

#[test]
fn the_table_above_names_tests_that_exist() {
    let source = std::fs::read_to_string(root().join("tests/protocol.rs")).unwrap();
    let rows: Vec<&str> = source.lines().filter(|line| line.starts_with("//! | ")).skip(1).collect();
    for row in &rows {
        let test = row.trim_end_matches(" |").rsplit("| ").next().unwrap().trim();
        let (module, name) = test.rsplit_once("::").unwrap_or(("protocol", test));
        let file = match module.strip_prefix("wire::") {
            Some(module) => format!("kernel/wire/tests/{module}.rs"),
            None => format!("tests/{module}.rs"),
        };
        let tests = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(tests.contains(&format!("fn {name}(")), "{row}");
    }
    assert_eq!(rows.len(), 36);
}
