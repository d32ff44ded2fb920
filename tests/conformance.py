"""jupyter_kernel_test, Jupyter's own tests of kernels, with samples in Rust; and what it has no tests for."""

import unittest

import jupyter_kernel_test
from jupyter_kernel_test import TIMEOUT, validate_message


class TaperTests(jupyter_kernel_test.KernelTests):
    kernel_name = "taper"
    language_name = "rust"
    file_extension = ".rs"
    code_hello_world = 'println!("hello, world");'
    code_stderr = 'eprintln!("to stderr");'
    code_generate_error = 'panic!("on purpose")'
    code_execute_result = [
        {"code": "1 + 2", "result": "3"},
        {"code": '"three".len()', "result": "5"},
        {"code": "vec![1, 2]", "result": "[1, 2]"},
    ]
    code_display_data = [
        {"code": 'lab::display::html("<b>bold</b>");', "mime": "text/html"},
        {"code": 'lab::display::markdown("*slanted*");', "mime": "text/markdown"},
        {"code": "lab::display::svg(\"<svg xmlns='http://www.w3.org/2000/svg'/>\");", "mime": "image/svg+xml"},
        {"code": "lab::display::png(&[]);", "mime": "image/png"},
    ]
    code_clear_output = "lab::display::clear(false);"
    completion_samples = [
        {"text": "let number: u8 = 5; number.is_power_of_", "matches": {"is_power_of_two()"}},
        {"text": "lab::display::Display::markd", "matches": {"markdown(markdown)"}},
    ]
    complete_code_samples = ["1 + 1", "fn f() {}", 'println!("hello");', ":dep rand", "// note", ""]
    incomplete_code_samples = ["fn f() {", "let x =", "vec![1,", '"open', "/* open"]
    invalid_code_samples = ["}", "let = 1;", "fn f() { ) }"]
    code_inspect_sample = "String::from"
    code_history_pattern = "1 ? 2"
    supported_history_operations = ("tail", "range", "search")

    def ask(self, code, answer):
        """Runs code that asks for a line of input; returns the prompt, whether it is secret, and what is printed."""
        self.flush_channels()
        msg_id = self.kc.execute(code, allow_stdin=True)
        question = self.kc.get_stdin_msg(timeout=TIMEOUT)
        # Its validation wants `password` to be a number, which it is not in the protocol.
        self.assertEqual((question["msg_type"], question["parent_header"]["msg_id"]), ("input_request", msg_id))
        self.kc.input(answer)
        reply = self.get_non_kernel_info_reply(timeout=TIMEOUT)
        validate_message(reply, "execute_reply", msg_id)
        self.assertEqual(reply["content"]["status"], "ok")
        return question["content"]["prompt"], question["content"]["password"], self.printed()

    def printed(self):
        text = ""
        while True:
            msg = self.kc.get_iopub_msg(timeout=TIMEOUT)
            if msg["msg_type"] == "stream":
                text += msg["content"]["text"]
            if msg["msg_type"] == "status" and msg["content"]["execution_state"] == "idle":
                return text

    def test_stdin(self):
        read = "let mut s = String::new(); std::io::stdin().read_line(&mut s)?; print!(\"<{s}>\");"
        self.assertEqual(self.ask(read, "Ada"), ("", False, "<Ada\n>"))

    def test_stdin_with_prompt(self):
        read = "let mut s = String::new(); std::io::stdin().read_line(&mut s)?; print!(\"<{}>\", s.trim());"
        ask = 'println!("EVCXR_INPUT_REQUEST:name?");'
        self.assertEqual(self.ask(ask + read, "Ada"), ("name?", False, "<Ada>"))

    def test_silent(self):
        self.flush_channels()
        code = 'let quiet = 1; println!("not seen"); quiet'
        reply, messages = self.execute_helper(code, silent=True, store_history=False)
        self.assertEqual(reply["content"]["status"], "ok")
        self.assertEqual([msg["msg_type"] for msg in messages], [])

    def test_user_expressions(self):
        self.flush_channels()
        self.kc.execute("let seven = 7;", user_expressions={"sum": "seven + 1", "bad": "no_such_name"})
        expressions = self.get_non_kernel_info_reply(timeout=TIMEOUT)["content"]["user_expressions"]
        self.assertEqual(expressions["sum"], {"status": "ok", "data": {"text/plain": "8"}, "metadata": {}})
        self.assertEqual((expressions["bad"]["status"], expressions["bad"]["ename"]), ("error", "CompileError"))


class Welcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "taper"
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main(verbosity=2)
