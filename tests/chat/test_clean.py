from tunewright.chat.clean import clean


def test_no_control_character_is_left_but_new_lines_and_tabs() -> None:
    text = clean("".join(map(chr, range(0x100))) + "\u202e\u2028\u2066")
    assert {c for c in text if ord(c) < 32} == {"\n", "\t"}
    assert not any(0x7F <= ord(c) <= 0x9F or ord(c) in (0x202E, 0x2028, 0x2066) for c in text)


def test_a_terminal_sequence_is_shown_and_not_obeyed() -> None:
    assert clean("\x1b]0;title\x07\x1b[2Jred\r") == "^[]0;title^G^[[2Jred^M"
    assert clean("\x9b31m") == "<U+009B>31m"
    assert clean("a\r\nb\tü 漢 é") == "a\nb\tü 漢 é"
