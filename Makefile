# The same names as dev.py, for those who type make. Arguments: make test ARGS="tests/unit -q"
.PHONY: demo test coverage lint type docs contracts bench differential audit fuzz chaos lock
demo test coverage lint type docs contracts bench differential audit fuzz chaos lock:
	python3 dev.py $@ $(ARGS)
