"""How nbgrader makes the students' edition of these worksheets; `taper students` uses it too."""

from nbconvert.preprocessors import TagRemovePreprocessor

c = get_config()

# What stands in the place of a solution.
c.ClearSolutions.code_stub = {"rust": "// Your code here."}
c.ClearSolutions.text_stub = "*Your answer here.*"

# An exercise needs one place for code and one for words; the other cells of its solution go altogether.
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = {"instructor-only"}
c.GenerateAssignment.preprocessors.insert(0, TagRemovePreprocessor)

# nbgrader stops a cell after 30 seconds by default; some of these train for longer.
c.Execute.timeout = 600
