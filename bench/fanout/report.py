def write_report(results, python):
    raise NotImplementedError
