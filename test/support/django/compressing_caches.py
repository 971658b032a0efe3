"""Caches that compress where settings alone cannot make them: Django's clients of memcached, and django-redis before 6."""

import gzip

from django.core.cache.backends.memcached import PyLibMCCache, PyMemcacheCache

MIN_LENGTH = 100


class GzipCompressor:
    """As in django-redis 6."""

    def __init__(self, options):
        pass

    def compress(self, value):
        return gzip.compress(value) if len(value) > 15 else value

    def decompress(self, value):
        from django_redis.exceptions import CompressorError

        try:
            return gzip.decompress(value)
        except gzip.BadGzipFile as error:
            raise CompressorError from error


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
