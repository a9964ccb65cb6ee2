from tunewright.clean import clean, listed, one_line


def test_no_control_character_is_left_but_new_lines_and_tabs() -> None:
    text = clean("".join(map(chr, range(0x100))) + "\u202e\u2028\u2066")
    assert {c for c in text if ord(c) < 32} == {"\n", "\t"}
    assert not any(0x7F <= ord(c) <= 0x9F or ord(c) in (0x202E, 0x2028, 0x2066) for c in text)


def test_a_terminal_sequence_is_shown_and_not_obeyed() -> None:
    assert clean("\x1b]0;title\x07\x1b[2Jred\r") == "^[]0;title^G^[[2Jred^M"
    assert clean("\x9b31m") == "<U+009B>31m"
    assert clean("a\r\nb\tü 漢 é") == "a\nb\tü 漢 é"


def test_what_is_not_seen_or_turns_the_writing_is_written_out() -> None:
    assert clean("lr\u202e1.0\u2069") == "lr<U+202E>1.0<U+2069>"
    assert (
        clean("l\u200br, \ufeffa\u2060b, \u061cc, so\xadft")
        == "l<U+200B>r, <U+FEFF>a<U+2060>b, <U+061C>c, so<U+00AD>ft"
    )
    assert clean("seen\U000e0068\U000e0069") == "seen<U+E0068><U+E0069>"


def test_letters_of_any_script_and_emoji_stay() -> None:
    for text in (
        "naïve Größe Ωμέγα Обучение עברית العربية हिन्दी ไทย 日本語 한국어",
        "می\u200cخواهم क्\u200dष",  # a joiner and its opposite are part of these words
        "👍🏽 👩\u200d💻 ❤\ufe0f 🇩🇪 1\ufe0f⃣",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    ):
        assert clean(text) == text


def test_words_and_names_of_strangers_stay_on_one_line() -> None:
    assert one_line("one\ntwo \t \x1b[31mred") == "one two ^[[31mred"
    assert listed(["lr", "a\r\nb"]) == "lr, a b"
