"""What was decided, written in the forms that people, spreadsheets and other tools read.

Every module renders a `carnet.cli.render.report.Report` and does nothing else: no files, no clock,
no database. The same report gives the same text.
"""
