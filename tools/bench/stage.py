"""The programs of one scenario, started when they are first asked for, ended with it."""
import contextlib
import functools

from programs import Daemon, Mock, Nginx
from sizes import models


class Stage:
    def __init__(self, directory, size, sections=None):
        self.directory, self.size, self.sections = directory, size, sections
        self.models = models(size)
        self.ends = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ends.close()

    def keep(self, program):
        self.ends.callback(program.stop)
        return program

    @functools.cached_property
    def mock(self):
        return self.keep(Mock(self.directory, self.models))

    def new_nginx(self):
        return self.keep(Nginx(self.directory, self.mock.port))

    def new_mainstay(self):
        return self.keep(Daemon(self.directory, self.mock.port, self.models, self.sections))

    nginx = functools.cached_property(new_nginx)
    mainstay = functools.cached_property(new_mainstay)
