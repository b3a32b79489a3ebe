"""A chain server that lies, lags or dies: the real one behind, single answers replaced."""

import inspect


class Twisted:
    """Passes questions on; `answers` replaces methods by name (they get the real backend first)."""

    def __init__(self, backend, **answers) -> None:
        self._backend = backend
        self._answers = answers
        self.name = backend.name
        self.asked: list[str] = []

    def __getattr__(self, name: str):
        real = getattr(self._backend, name)

        async def ask(*args):
            self.asked.append(name)
            if name not in self._answers:
                return await real(*args)
            found = self._answers[name](self._backend, *args)
            return await found if inspect.isawaitable(found) else found

        return ask


class Dying(Twisted):
    """Dies at its `at`-th question: before it is passed on, or after, the answer lost."""

    def __init__(self, backend, at: int, error: Exception, *, after: bool) -> None:
        super().__init__(backend)
        self._at, self._error, self._after = at, error, after

    def __getattr__(self, name: str):
        ask = super().__getattr__(name)

        async def die(*args):
            last = len(self.asked) >= self._at
            if last and not self._after:
                raise self._error
            found = await ask(*args)
            if last:
                raise self._error
            return found

        return die
