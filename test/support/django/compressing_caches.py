"""Django's clients of memcached as a project makes them that wants its values compressed: settings alone cannot."""

from django.core.cache.backends.memcached import PyLibMCCache, PyMemcacheCache

MIN_LENGTH = 100


class CompressingPyMemcacheCache(PyMemcacheCache):
    def __init__(self, server, params):
        from pymemcache.serde import CompressedSerde

        super().__init__(server, {**params, "OPTIONS": {"serde": CompressedSerde(min_compress_len=MIN_LENGTH)}})


class CompressingPyLibMCCache(PyLibMCCache):
    def __init__(self, server, params):
        import pylibmc

        class Client(pylibmc.Client):
            def set(self, key, value, time=0):
                return super().set(key, value, time, MIN_LENGTH)

            def add(self, key, value, time=0):
                return super().add(key, value, time, MIN_LENGTH)

        super().__init__(server, params)
        self._class = Client
