"""As much of the shell's grammar as it takes to see which commands a script runs, and where it puts the values of
labels."""

from __future__ import annotations

import re

import msgspec

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"[#!]?(LABEL_[A-Za-z0-9_]+)")
_BLANK = " \t"
_ENDS = ";&|()"
_FIRST_WORDS = frozenset(
    {"if", "then", "elif", "else", "do", "while", "until", "!", "{", "}", "time", "fi", "done"}
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")


class Use(msgspec.Struct, frozen=True):
    """One place where the shell puts in the value of a LABEL_ variable; `line` counts from 0."""

    name: str
    line: int
    quoted: bool


class Word(msgspec.Struct):
    """One word without its quotes; expansions stay as they are written."""

    line: int
    text: str = ""
    uses: list[Use] = []
    started: bool = False


class Simple(msgspec.Struct):
    """One simple command: its words without reserved words, assignments and redirections. `bodies` are what
    here-documents and here-strings give it to read."""

    words: list[Word] = []
    bodies: list[Word] = []

    @property
    def texts(self) -> list[str]:
        return [word.text for word in self.words]


class Script(msgspec.Struct):
    """The commands of a script, those in substitutions among them, and every use of a label."""

    commands: list[Simple] = []
    uses: list[Use] = []


def read_script(text: str, first_line: int = 0) -> Script:
    """The commands of a script. Whatever does not close what it opens is read to the end."""
    script = Script()
    _Reader(text, script, first_line).run()
    return script


class _Reader:
    def __init__(self, text: str, script: Script, line: int, stop: str = "") -> None:
        self.text = text
        self.script = script
        self.line = line
        self.at = 0
        self.stop = stop
        self.simple = Simple()
        self.word = Word(line)
        self.target = ""
        self.waiting: list[tuple[Simple, str, bool, bool]] = []

    def run(self) -> int:
        """Read commands up to the end, or to the `)` that closes a substitution; where it ended."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == ")" and self.stop:
                self.at += 1
                break
            self._step(char)
        self._end_command()
        return self.at

    def _step(self, char: str) -> None:
        if char == "\n":
            self._end_command()
            self.at += 1
            self.line += 1
            self._here_documents()
        elif char in _BLANK:
            self._end_word()
            self.at += 1
        elif char == "#" and not self.word.started:
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
        elif char in "<>":
            self._redirection()
        elif char == "&" and self.text[self.at + 1 : self.at + 2] == ">":
            self.at += 1
        elif char in _ENDS:
            self._end_command()
            self.at += 1
        elif self.text.startswith("\\\n", self.at):
            self._escaped()
        else:
            self._part(char)

    def _start(self) -> None:
        if not self.word.started:
            self.word.started, self.word.line = True, self.line

    def _part(self, char: str) -> None:
        self._start()
        if char == "'":
            self._literal(self._until("'"))
        elif char == '"':
            self.at += 1
            self._double('"')
        elif char == "\\":
            self._escaped()
        elif char == "$":
            self._dollar(quoted=False)
        elif char == "`":
            self._backticks()
        else:
            self.word.text += char
            self.at += 1

    def _until(self, mark: str) -> str:
        """The text between the character here and the next `mark`; goes behind it."""
        end = self.text.find(mark, self.at + 1)
        end = len(self.text) if end < 0 else end
        found = self.text[self.at + 1 : end]
        self.at = end + 1
        return found

    def _literal(self, text: str) -> None:
        self.word.text += text
        self.line += text.count("\n")

    def _escaped(self) -> None:
        char = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if char == "\n":
            self.line += 1
        else:
            self.word.text += char

    def _double(self, mark: str) -> None:
        """What stands between double quotes, up to the closing one; without a `mark`, to the end."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == mark:
                self.at += 1
                return
            if char == "\\":
                self._escaped()
            elif char == "$":
                self._dollar(quoted=True)
            elif char == "`":
                self._backticks()
            else:
                self._literal(char)
                self.at += 1

    def _dollar(self, *, quoted: bool) -> None:
        rest = self.text[self.at + 1 : self.at + 2]
        if rest == "(" and self.text[self.at + 2 : self.at + 3] != "(":
            self._substitution()
        elif rest in ("{", "("):
            self._braces(quoted)
        elif rest == "'" and not quoted:
            self.at += 1
            self._literal(self._until("'"))
        else:
            name = _NAME.match(self.text, self.at + 1)
            end = name.end() if name else self.at + 1
            self._used(self.text[self.at + 1 : end], quoted)
            self.word.text += self.text[self.at : end]
            self.at = end

    def _substitution(self) -> None:
        inner = _Reader(self.text[self.at + 2 :], self.script, self.line, ")")
        length = inner.run()
        self.word.text += self.text[self.at : self.at + 2 + length]
        self.at += 2 + length
        self.line = inner.line

    def _backticks(self) -> None:
        body = self._until("`")
        _Reader(body, self.script, self.line).run()
        self._literal(f"`{body}`")

    def _braces(self, quoted: bool) -> None:
        """`${…}` and `$((…))`, up to the bracket that closes it."""
        opening = self.text[self.at + 1]
        closing = {"{": "}", "(": ")"}[opening]
        depth, end = 0, self.at + 1
        while end < len(self.text):
            depth += (self.text[end] == opening) - (self.text[end] == closing)
            end += 1
            if depth == 0:
                break
        body = self.text[self.at + 2 : end - 1]
        # Arithmetic reads variables without a $, and evaluates what they hold: quotes around it change nothing.
        pattern = r"(?:^|\$\{?)" if opening == "{" else r"\b"
        for found in re.finditer(pattern + _LABEL.pattern, body):
            self._used(found[1], quoted and opening == "{")
        self._literal(self.text[self.at : end])
        self.at = end

    def _used(self, name: str, quoted: bool) -> None:
        found = _LABEL.fullmatch(name)
        if found is not None:
            use = Use(found[1], self.line, quoted)
            self.word.uses.append(use)
            self.script.uses.append(use)

    def _redirection(self) -> None:
        if self.text.startswith(("<(", ">("), self.at):
            self._substitution_word()
            return
        if self.word.started and self.word.text.isdigit():
            self.word = Word(self.line)
        self._end_word()
        if self.text.startswith("<<<", self.at):
            self.target, self.at = "string", self.at + 3
        elif self.text.startswith("<<", self.at):
            self._here_document()
        else:
            while self.at < len(self.text) and self.text[self.at] in "<>&|":
                self.at += 1
            self.target = "file"

    def _substitution_word(self) -> None:
        self._start()
        self._substitution()

    def _here_document(self) -> None:
        self.at += 2
        dashed = self.text.startswith("-", self.at)
        found = re.compile(r"-?[ \t]*([^\s;&|()<>]+)").match(self.text, self.at)
        if found is None:
            return
        self.at = found.end()
        mark = re.sub(r"['\"\\]", "", found[1])
        self.waiting.append((self.simple, mark, mark == found[1], dashed))

    def _here_documents(self) -> None:
        """The bodies of the here-documents that were announced on the line before."""
        for simple, mark, expands, dashed in self.waiting:
            body = Word(self.line)
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                self.at = end + 1
                self.line += 1
                if (line.lstrip("\t") if dashed else line) == mark:
                    break
                body.text += line + "\n"
            if expands:
                self._expanded(body)
            simple.bodies.append(body)
        self.waiting.clear()

    def _expanded(self, body: Word) -> None:
        inner = _Reader(body.text, Script(commands=self.script.commands), body.line)
        inner._double("")
        body.uses = inner.script.uses
        self.script.uses += body.uses

    def _end_word(self) -> None:
        word, self.word = self.word, Word(self.line)
        if not word.started:
            return
        if self.target == "string":
            self.simple.bodies.append(word)
        elif not self.target and not self._is_prefix(word):
            self.simple.words.append(word)
        self.target = ""

    def _is_prefix(self, word: Word) -> bool:
        return not self.simple.words and (word.text in _FIRST_WORDS or _ASSIGNMENT.match(word.text) is not None)

    def _end_command(self) -> None:
        self._end_word()
        self.target = ""
        if self.simple.words:
            self.script.commands.append(self.simple)
        # A here-document announced by this command is read later, into the same object.
        self.simple = Simple()
