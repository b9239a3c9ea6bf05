"""The server of forms: it hands each visitor a free set of tasks, and keeps every answer.

:mod:`.folder` reads the folder that ``to="server"`` wrote, :mod:`.kinds` checks answers and makes
the rows that readers expect, :mod:`.store` is the database, :mod:`.site` the pages and
requests, :mod:`.serve` the process, and :mod:`.collected` the export of answers.
"""
